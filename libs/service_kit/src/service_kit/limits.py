"""What a request may be before anything reads it: sizes, time, media type, strict JSON. Pure ASGI.

Every refusal is a problem with a stable code, and closes the connection where the rest of the body was
not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit import strict_json
from service_kit.direct import JSON_BODY
from service_kit.problems import Problem, ProblemResponse

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_JSON = b"application/json"
_FORM = b"application/x-www-form-urlencoded"
_CLOSE = {"connection": "close"}


@dataclass(frozen=True)
class Limits:
    """The bounds of one API."""

    body_bytes: int = 1024 * 1024
    json_depth: int = strict_json.MAX_DEPTH
    target_bytes: int = 8 * 1024
    header_count: int = 100
    header_bytes: int = 32 * 1024
    # Where a standard wants a form (RFC 6749) and the route reads it by itself.
    form_paths: frozenset[str] = frozenset()


class LimitsMiddleware:
    """Refuses what is outside the limits, and hands on a request whose body is read, bounded and strict
    JSON."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_target(scope)
            length, chunked = self._check_headers(scope)
            if not chunked and not length:
                await self._app(scope, receive, send)
                return
            body = await self._read_body(scope, receive)
        except Problem as problem:
            await ProblemResponse(problem)(scope, receive, send)
            return
        if body is None:
            return
        await self._app(scope, _replay(body, receive), send)

    def _check_target(self, scope: Scope) -> None:
        raw_path: bytes = scope.get("raw_path") or b""
        query: bytes = scope["query_string"]
        if len(raw_path) + len(query) > self._limits.target_bytes:
            raise Problem(414, "uri_too_long", "URI too long", "The address is too long. Shorten the query.")
        for part in (raw_path, query):
            if b"%" in part or b"\x00" in part:
                _check_encoding(part)

    def _check_headers(self, scope: Scope) -> tuple[int, bool]:
        """The body's announced length and whether it comes in chunks; refuses what must not be read at
        all."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > self._limits.header_count:
            raise _headers_too_large("many headers")
        length, chunked, size = 0, False, 0
        content_types: list[bytes] = []
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 20 else self._limits.body_bytes + 1
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"content-type":
                content_types.append(value)
            elif name == b"content-encoding" and value.strip().lower() != b"identity":
                raise Problem(
                    415,
                    "unsupported_encoding",
                    "Unsupported encoding",
                    "Send the body uncompressed.",
                    headers=_CLOSE,
                )
        if size > self._limits.header_bytes:
            raise _headers_too_large("large headers")
        if length or chunked:
            self._check_body_announced(scope, length, content_types)
        return length, chunked

    def _check_body_announced(self, scope: Scope, length: int, content_types: list[bytes]) -> None:
        method = scope["method"]
        if method not in _BODY_METHODS:
            detail = f"{method} takes no body here. Leave it out."
            raise Problem(400, "unexpected_body", "Unexpected body", detail, headers=_CLOSE)
        if length > self._limits.body_bytes:
            raise self._too_large()
        wanted = _FORM if scope["path"] in self._limits.form_paths else _JSON
        if len(content_types) != 1 or not _is(wanted, content_types[0]):
            detail = f"Send the body as {wanted.decode()} in UTF-8."
            raise Problem(415, "unsupported_media_type", "Unsupported media type", detail, headers=_CLOSE)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, checked; None when the client left, or was cut off, before its end."""
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._limits.body_bytes:
                raise self._too_large()
            parts.append(part)
            more = message.get("more_body", False)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if body and scope["path"] not in self._limits.form_paths:
            try:
                scope[JSON_BODY] = strict_json.parse(body, max_depth=self._limits.json_depth)
            except strict_json.JsonRefused as refused:
                raise Problem(400, refused.code, "Unusable JSON", str(refused)) from None
        return body

    def _too_large(self) -> Problem:
        detail = f"The body is larger than {self._limits.body_bytes} bytes. Send less in one request."
        return Problem(413, "body_too_large", "Body too large", detail, headers=_CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that tells the body first and then whatever the server has to tell (a disconnect)."""
    told = False

    async def replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _is(wanted: bytes, value: bytes) -> bool:
    if value == wanted:
        return True
    kind, *parameters = (part.strip().lower() for part in value.split(b";"))
    return kind == wanted and _only_utf8(parameters)


def _only_utf8(parameters: Iterable[bytes]) -> bool:
    return all(parameter in {b"", b"charset=utf-8", b'charset="utf-8"'} for parameter in parameters)


def _check_encoding(part: bytes) -> None:
    plain = unquote_to_bytes(part)
    if b"\x00" in plain:
        raise Problem(400, "invalid_address", "Invalid address", "The address holds a NUL character.")
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "invalid_address", "Invalid address", "The address is not valid UTF-8.") from None


def _headers_too_large(what: str) -> Problem:
    detail = f"The request has too {what}. Send fewer or smaller ones."
    return Problem(431, "headers_too_large", "Headers too large", detail, headers=_CLOSE)
