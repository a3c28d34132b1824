"""Pages of lists, their bounds, and cursors that tell a client nothing and cannot be mixed up.

A cursor is a position in one list, marked with that list's name. It is no secret and grants nothing (what a
client may see is decided by its key, on every page), so it bears a checksum and not a signature; whatever is
read out of it is checked like any other input.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar, overload

from fastapi import Query

from service_kit.problems import Problem

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_MAX_CURSOR = 500
_MARK_BYTES = 6

Position = TypeVar("Position")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items a page holds at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before, as it was given."),
]


class Listing(Generic[Position]):
    """One page of one list: where it begins, how many rows to read for it, and the cursor to the next.

    Read `rows` rows, those beyond `position` in the list's order, and hand them to `page`.
    """

    def __init__(
        self,
        name: str,
        cursor: str | None,
        limit: int,
        *,
        start: Position,
        read: Callable[[str], Position],
    ) -> None:
        """The list of that name (see `encode_cursor`), which begins at `start` where no cursor is given.

        `read` makes a position of a cursor's text. Raises what `decode_cursor` raises.
        """
        self.position = start if cursor is None else decode_cursor(name, cursor, read=read)
        # One more than the page holds: it tells whether another page follows.
        self.rows = limit + 1
        self._name = name

    def page(
        self, rows: Sequence[Row], position_of: Callable[[Row], object]
    ) -> tuple[Sequence[Row], str | None]:
        """The page's rows, and the cursor to the next page if there is one.

        `position_of` gives a row's position, as itself or as the text that `read` reads.
        """
        if len(rows) < self.rows:
            return rows, None
        page = rows[: self.rows - 1]
        return page, self.cursor_at(position_of(page[-1]))

    def cursor_at(self, position: object) -> str:
        """The cursor of the page that begins beyond `position`."""
        return encode_cursor(self._name, str(position))


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
