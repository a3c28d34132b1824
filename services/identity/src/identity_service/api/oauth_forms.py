"""What comes to the OAuth endpoints (RFC 6749): a form, and a client's id and secret in one of two ways."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

_MAX_FIELDS = 20
_MAX_SECRET = 128
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class OAuthError(Exception):
    """A refusal in RFC 6749's words; `description` never quotes what was sent."""

    error: str
    description: str
    status: int = 400

    def response(self) -> JSONResponse:
        """The answer that says so."""
        headers = dict(_NO_STORE)
        if self.status == 401:
            headers["www-authenticate"] = 'Basic realm="florin", charset="UTF-8"'
        body = {"error": self.error, "error_description": self.description}
        return JSONResponse(body, status_code=self.status, headers=headers)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A client's id, and the key that it shows as its secret."""

    client_id: str
    secret: str


def invalid_client() -> OAuthError:
    """The same for every way in which a client fails to show who it is."""
    return OAuthError("invalid_client", "The client's id or secret is not valid.", 401)


async def read_form(request: Request) -> Mapping[str, str]:
    """The form's fields. Raises OAuthError for one that cannot be read or names a field twice."""
    try:
        fields = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise OAuthError("invalid_request", "The body is not a form that can be read.") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise OAuthError("invalid_request", "A parameter is given twice.")
    # RFC 6749, 3.2: a parameter without a value counts as left out.
    return {name: value for name, value in form.items() if value}


def read_credentials(request: Request, form: Mapping[str, str]) -> Credentials:
    """Who the client says it is: by HTTP Basic, or in the form, and not by both. Raises OAuthError."""
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        raise OAuthError("invalid_request", "There are several Authorization headers.")
    if sent and "client_secret" in form:
        raise OAuthError("invalid_request", "The client says who it is in two ways.")
    shown = _from_basic(sent[0]) if sent else _from_form(form)
    if not (0 < len(shown.secret) <= _MAX_SECRET) or not shown.secret.isascii():
        raise invalid_client()
    if form.get("client_id", shown.client_id) != shown.client_id:
        raise OAuthError("invalid_request", "client_id is not the client that says who it is.")
    # What no client is called needs no look-up, and a NUL would not survive one.
    if not shown.client_id.isprintable():
        raise invalid_client()
    return shown


def read_scopes(form: Mapping[str, str]) -> frozenset[str] | None:
    """What is asked for; None for whatever may be had. Raises OAuthError."""
    scope = form.get("scope")
    if scope is None:
        return None
    if _SCOPE.fullmatch(scope) is None:
        raise OAuthError("invalid_scope", "scope is a list of names with single blanks between them.")
    return frozenset(scope.split(" "))


def granted(body: Mapping[str, object]) -> JSONResponse:
    """A success, which no cache keeps."""
    return JSONResponse(body, headers=_NO_STORE)


def _from_basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client()
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = pair.partition(":")
        if not colon:
            raise invalid_client()
        return Credentials(unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict"))
    except (binascii.Error, ValueError):
        raise invalid_client() from None


def _from_form(form: Mapping[str, str]) -> Credentials:
    if "client_id" not in form or "client_secret" not in form:
        raise invalid_client()
    return Credentials(form["client_id"], form["client_secret"])
