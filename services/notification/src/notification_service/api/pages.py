"""Pages of rows that lie in the order of their ids."""

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from service_kit.cursors import Cursor, Limit, decode_cursor, encode_cursor

__all__ = ["Cursor", "Limit", "id_after", "page_of"]


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Row = TypeVar("Row", bound=_Identified)


def id_after(listing: str, cursor: str | None) -> UUID | None:
    """The id that a cursor of this list stands for; raises the problem `invalid_cursor`."""
    return None if cursor is None else decode_cursor(listing, cursor, read=UUID)


def page_of(listing: str, found: Sequence[Row], limit: int) -> tuple[Sequence[Row], str | None]:
    """The page's rows and the cursor to the next, out of up to one row more than the page holds."""
    if len(found) <= limit:
        return found, None
    page = found[:limit]
    return page, encode_cursor(listing, str(page[-1].id))
