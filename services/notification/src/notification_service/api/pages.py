"""Pages of rows that lie in the order of their ids."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import Query
from service_kit.problems import Problem

Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Row = TypeVar("Row", bound=_Identified)


def id_after(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for; raises the problem `invalid_cursor`."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise Problem(
            400, "invalid_cursor", "Invalid cursor", "Use a next_cursor of this list as it is."
        ) from None


def page_of(found: Sequence[Row], limit: int) -> tuple[Sequence[Row], str | None]:
    """The page's rows and the cursor to the next, out of up to one row more than the page holds."""
    if len(found) <= limit:
        return found, None
    page = found[:limit]
    return page, base64.urlsafe_b64encode(page[-1].id.bytes).decode()
