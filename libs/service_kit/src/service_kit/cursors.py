"""Pages: cursors that tell a client nothing and cannot be mixed up, and the bounds of a page.

A cursor is a position in one list, marked with that list's name. It is no secret and grants nothing (what a
client may see is decided by its key, on every page), so it bears a checksum and not a signature; whatever is
read out of it is checked like any other input.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Annotated, TypeVar, overload

from fastapi import Query

from service_kit.problems import Problem

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_MAX_CURSOR = 500
_MARK_BYTES = 6

Position = TypeVar("Position")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items a page holds at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before, as it was given."),
]


def encode_cursor(listing: str, position: str) -> str:
    """The cursor that goes on after `position` (the sort key of a page's last item) in the list of that name.

    Put into `listing` what must not change between pages, such as the order or a filter that moves positions.
    """
    body = position.encode()
    return base64.urlsafe_b64encode(_mark(listing, body) + body).decode().rstrip("=")


@overload
def decode_cursor(listing: str, cursor: str) -> str: ...
@overload
def decode_cursor(listing: str, cursor: str, *, read: Callable[[str], Position]) -> Position: ...
def decode_cursor(listing: str, cursor: str, *, read: Callable[[str], object] = str) -> object:
    """The position, as `read` reads it (such as `UUID`).

    Raises a 400 `invalid_cursor` problem for one that is altered, of another list, or that `read` refuses
    with a `ValueError`.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        mark, body = raw[:_MARK_BYTES], raw[_MARK_BYTES:]
        position = body.decode()
        # Compared as text too: base64 has several spellings of the same bytes, and only one was given out.
        if mark != _mark(listing, body) or encode_cursor(listing, position) != cursor:
            raise _invalid()
        if not position.isprintable():
            raise _invalid()
        return read(position)
    except (ValueError, binascii.Error):
        raise _invalid() from None


def _mark(listing: str, body: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\x00" + body).digest()[:_MARK_BYTES]


def _invalid() -> Problem:
    detail = "The cursor is not one of this list. Use next_cursor as it was given, with the same filters."
    return Problem(400, "invalid_cursor", "Invalid cursor", detail)
