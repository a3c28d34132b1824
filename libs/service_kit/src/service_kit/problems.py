"""RFC 9457 problems: what every refusal looks like, and the one place where errors become answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from service_kit.database import CommitOutcomeUnknown, DatabaseUnavailable, is_outage
from service_kit.field_errors import FieldError, field_errors
from service_kit.telemetry import current_trace_id
from service_kit.telemetry.request_ids import RequestId, current_request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

_log = structlog.stdlib.get_logger(__name__)


@dataclass
class Problem(Exception):
    """A refusal as the client will read it. `code` is stable and names the rule; `detail` says what to do."""

    status: int
    code: str
    title: str
    detail: str
    fields: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    def body(self, trace_id: str | None, request_id: RequestId | None = None) -> dict[str, Any]:
        """The members of the answer, in the order a reader wants them. The request's id only if it is the
        client's own: it can tell its answers apart by what it has chosen."""
        own = {"request_id": request_id.text} if request_id is not None and request_id.sent else {}
        return {
            "type": f"urn:florin:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [asdict(fault) for fault in self.fields],
            "trace_id": trace_id,
            **own,
            **self.extra,
        }


ProblemBuilder = Callable[[Any], Problem]
ErrorMap = Mapping[type[Exception], ProblemBuilder]


class ProblemResponse(Response):
    """A problem on its way to the client, with the trace id by which support finds it."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        body = orjson.dumps(problem.body(current_trace_id(), current_request_id()))
        super().__init__(
            body, status_code=problem.status, headers={"cache-control": "no-store", **problem.headers}
        )


def problem_handlers(app: FastAPI, errors: ErrorMap | None = None) -> None:
    """Makes every refusal of `app` a problem; `errors` says how the domain's own errors are told."""
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(DBAPIError, _answer_database_error)
    app.add_exception_handler(ClientDisconnect, _answer_disconnect)
    for outage in (DatabaseUnavailable, CommitOutcomeUnknown, PoolTimeout):
        app.add_exception_handler(outage, _answer_outage)
    for error, build in (errors or {}).items():
        app.add_exception_handler(error, _teller(build))


def not_found(what: str = "resource") -> Problem:
    """404, the same words for what never was and for what belongs to another client."""
    return Problem(404, "not_found", "Not found", f"There is no such {what}. Check the identifier.")


def invalid_request(*faults: FieldError, detail: str | None = None) -> Problem:
    """422 with the fields at fault."""
    text = detail or "The request does not fit the API's description. See errors for each field."
    return Problem(422, "invalid_request", "Invalid request", text, fields=faults)


def temporarily_unavailable() -> Problem:
    """503 for whatever a later retry may well succeed at; makes no claim about what happened."""
    return Problem(
        503,
        "temporarily_unavailable",
        "Temporarily unavailable",
        "The service cannot answer for the moment and the outcome of this request is unknown. "
        "Retry it, and a change with the same Idempotency-Key: it will not be done twice.",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )


def overloaded() -> Problem:
    """503 for a request that was refused before anything was done with it."""
    return Problem(
        503,
        "overloaded",
        "Overloaded",
        "Too many requests are waiting. Nothing was done with this one; retry it later.",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )


def internal_error() -> Problem:
    """500 that tells the client nothing but the trace id; the log has the rest."""
    return Problem(
        500,
        "internal_error",
        "Internal error",
        "Something went wrong on our side. Retry, a change with the same Idempotency-Key, or ask with the "
        "trace_id.",
    )


def problem_for(error: Exception) -> Problem:
    """The problem for an error nobody had a handler for; logs it when it is ours."""
    if isinstance(error, Problem):
        return error
    if is_outage(error):
        _log.warning("database unavailable", error=type(error).__name__)
        return temporarily_unavailable()
    _log.error("unhandled error in a request", exc_info=error)
    return internal_error()


def _teller(build: ProblemBuilder) -> Callable[[Request, Exception], Any]:
    async def tell(_request: Request, error: Exception) -> Response:
        return ProblemResponse(build(error))

    return tell


async def _answer_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return ProblemResponse(error)


async def _answer_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return ProblemResponse(_from_http_exception(error))


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return ProblemResponse(invalid_request(*field_errors(error.errors())))


async def _answer_database_error(_request: Request, error: Exception) -> Response:
    return ProblemResponse(problem_for(error))


async def _answer_outage(_request: Request, error: Exception) -> Response:
    return ProblemResponse(problem_for(error))


async def _answer_disconnect(_request: Request, _error: Exception) -> Response:
    # Nobody will read it; it keeps the client's leaving from counting as our fault.
    return ProblemResponse(
        Problem(400, "client_disconnected", "Client left", "The request's body never ended.")
    )


_TEXTS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read. Check its syntax."),
    404: ("not_found", "There is nothing at this address. Check the path."),
    405: ("method_not_allowed", "This address does not take this method. See the Allow header."),
    413: ("body_too_large", "The body is too large."),
    415: ("unsupported_media_type", "Send application/json."),
}


def _from_http_exception(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    code, detail = _TEXTS.get(error.status_code, (phrase.lower().replace(" ", "_"), str(error.detail)))
    return Problem(error.status_code, code, phrase.capitalize(), detail, headers=dict(error.headers or {}))
