"""A short way through FastAPI for routes that are called thousands of times a second.

For each request FastAPI reads the content type by a mail parser, parses JSON anew, opens two exit stacks and
looks up what every dependency may depend on: more work than all that a payment's request asks for. Where a
route declares nothing but what is known here, its declaration is read once, and a request goes straight from
the limits to its function. What is declared, documented, checked and answered stays the same; a route that
declares anything else keeps FastAPI's own way.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

# Where the limits leave the body as they have parsed it.
JSON_BODY = "florin.json"
_NO_BODY: Any = object()
_JSON = (b"content-type", b"application/json")
_KNOWN_FIELDS = frozenset(
    {
        *("body_params", "header_params", "query_params", "dependencies"),
        *("request_param_name", "response_param_name"),
    }
)
# Of a query only what may be left out and is read alike however it is sent.
_KNOWN_QUERY: frozenset[Any] = frozenset({bool, str, bool | None, str | None})
_ABOUT = frozenset({"name", "call", "path", "use_cache", "scope", "concurrency"})


def straight(route: APIRoute) -> ASGIApp | None:
    """The application that serves this route the short way; None if it declares what only FastAPI can."""
    dependant = route.dependant
    known = (
        _declares_only(dependant, _KNOWN_FIELDS)
        and len(dependant.body_params) == 1
        and all(_is_simple(field) for field in dependant.query_params)
        and not route._embed_body_fields
        and iscoroutinefunction(dependant.call)
        and route.response_field is not None
        and route.status_code is not None
        and all(_asks_only_for_request(sub) for sub in dependant.dependencies)
    )
    return _Straight(route) if known else None


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    key: bytes
    field: Any

    def read(self, headers: Sequence[tuple[bytes, bytes]], errors: list[Any]) -> Any:
        for key, value in headers:
            if key == self.key:
                found, faults = self.field.validate(value.decode("latin-1"), loc=("header", self.field.alias))
                errors.extend(faults)
                return found
        return self.field.get_default()


class _Straight:
    """The route as an ASGI application. Raises what the function and its dependencies raise, and
    `RequestValidationError`."""

    def __init__(self, route: APIRoute) -> None:
        dependant = route.dependant
        assert dependant.call is not None
        assert route.response_field is not None
        assert route.status_code is not None
        self._call: Callable[..., Awaitable[Any]] = dependant.call
        self._body = dependant.body_params[0]
        self._headers = [
            _Header(field.name, field.alias.lower().encode(), field) for field in dependant.header_params
        ]
        self._query = list(dependant.query_params)
        self._dependencies = [(sub.name, sub.call, sub.request_param_name) for sub in dependant.dependencies]
        self._request = dependant.request_param_name
        self._response = dependant.response_param_name
        self._encode = route.response_field.serialize_json
        self._status = route.status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        arguments: dict[str, Any] = {}
        for name, call, takes in self._dependencies:
            value = await call(**{takes: request})  # type: ignore[misc, arg-type]
            if name is not None:
                arguments[name] = value
        errors: list[Any] = []
        if self._query:
            self._read_query(request, arguments, errors)
        for header in self._headers:
            arguments[header.name] = header.read(scope["headers"], errors)
        arguments[self._body.name] = self._read_body(scope.get(JSON_BODY, _NO_BODY), errors)
        if errors:
            raise RequestValidationError(errors)
        response = Response()
        if self._request is not None:
            arguments[self._request] = request
        if self._response is not None:
            arguments[self._response] = response
        response.status_code = self._status
        told = await self._call(**arguments)
        if isinstance(told, Response):
            await told(scope, receive, send)
            return
        content = self._encode(told)
        # The empty response's own length gives way to the length of what is sent.
        own = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
        headers = [_JSON, (b"content-length", b"%d" % len(content)), *own]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _read_query(self, request: Request, arguments: dict[str, Any], errors: list[Any]) -> None:
        sent = request.query_params if request.scope["query_string"] else {}
        for field in self._query:
            value = sent.get(field.alias)
            if value is None:
                arguments[field.name] = field.get_default()
                continue
            found, faults = field.validate(value, loc=("query", field.alias))
            errors.extend(faults)
            arguments[field.name] = found

    def _read_body(self, given: Any, errors: list[Any]) -> Any:
        if given is _NO_BODY:
            errors.append({"type": "missing", "loc": ("body",), "msg": "Field required", "input": None})
            return None
        found, faults = self._body.validate(given, loc=("body",))
        errors.extend(faults)
        return found


def _declares_only(dependant: Dependant, known: frozenset[str]) -> bool:
    return all(
        field in known or field in _ABOUT or not getattr(dependant, field) for field in Dependant.__slots__
    )


def _is_simple(field: Any) -> bool:
    return not field.field_info.is_required() and field.field_info.annotation in _KNOWN_QUERY


def _asks_only_for_request(dependant: Dependant) -> bool:
    call = dependant.call
    return (
        _declares_only(dependant, frozenset({"request_param_name"}))
        and dependant.request_param_name is not None
        and (iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None)))  # noqa: B004
    )
