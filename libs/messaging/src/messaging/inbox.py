"""The inbox: the ids of events that have taken effect, claimed in the transaction of that very effect."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.statement import Statement

_CLAIM = Statement(
    """
    INSERT INTO inbox (event_id) SELECT unnest(CAST(:ids AS uuid[]))
    ON CONFLICT (event_id) DO NOTHING RETURNING event_id
    """
)


async def claim(connection: AsyncConnection, event_ids: Iterable[UUID]) -> set[UUID]:
    """Return those ids that are new; the others have been handled before, or are being handled right now.

    A concurrent claim of the same id waits for the other transaction and then yields to its outcome.
    """
    # In one order everywhere: two consumers with overlapping redeliveries would deadlock otherwise.
    ids = sorted(set(event_ids))
    if not ids:
        return set()
    return {row[0] for row in await _CLAIM.rows(connection, {"ids": ids})}
