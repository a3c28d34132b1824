"""The id by which client and operator speak of one request: the client's own `X-Request-ID`, or a new one."""

import random
import re
from contextvars import ContextVar, Token
from typing import NamedTuple

# A UUID with or without hyphens, or a ULID. Nothing looser: what a client writes here is written to the log.
_WELL_FORMED = re.compile(
    rb"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}"
)
# Not a secret: they need to be distinct, not unguessable.
_random = random.Random()  # noqa: S311


class RequestId(NamedTuple):
    """`sent`: whether the client chose it."""

    text: str
    sent: bool


_current: ContextVar[RequestId | None] = ContextVar("request_id", default=None)


def begin_request_id(header: bytes | None) -> tuple[RequestId, Token[RequestId | None]]:
    """Makes the header's id current if it is well-formed, else a new one."""
    if header is not None and len(header) <= 36 and _WELL_FORMED.fullmatch(header):
        found = RequestId(header.decode("ascii"), sent=True)
    else:
        found = RequestId(f"{_random.getrandbits(128):032x}", sent=False)
    return found, _current.set(found)


def end_request_id(token: Token[RequestId | None]) -> None:
    """Ends what `begin_request_id` began."""
    _current.reset(token)


def current_request_id() -> RequestId | None:
    """The id of the request being answered; None outside any."""
    return _current.get()
