"""The history of each customer's levels: written once, read in order; reasons are sealed with the person."""

from typing import Any
from uuid import UUID

from contracts.sealed import Place
from service_kit.vault import DataKey
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import KycEvent
from account_service.domain.kyc import KycLevel, KycState

TABLE = "customer_kyc_events"

_RECORD = text(
    """
    INSERT INTO customer_kyc_events (id, customer_id, state, level, reason, author, occurred_at)
    VALUES (:id, :customer_id, :state, :level, :reason, :author, :at)
    """
)
_LIST = text(
    """
    SELECT id, customer_id, state, level, reason, author, occurred_at FROM customer_kyc_events
    WHERE customer_id = :customer_id AND id < :before ORDER BY id DESC LIMIT :limit
    """
)


async def record_kyc_event(connection: AsyncConnection, key: DataKey, event: KycEvent) -> None:
    """Write a move; it can never be altered."""
    parameters = {
        "id": event.id,
        "customer_id": event.customer_id,
        "state": event.state.value,
        "level": event.level.value,
        "reason": None if event.reason is None else key.seal(event.reason, _place(event.id)),
        "author": event.author,
        "at": event.at,
    }
    await connection.execute(_RECORD, parameters)


async def list_kyc_events(
    connection: AsyncConnection, key: DataKey, customer_id: UUID, *, before: UUID, limit: int
) -> list[KycEvent]:
    """The customer's moves with an id below `before`, newest first."""
    parameters = {"customer_id": customer_id, "before": before, "limit": limit}
    return [_event(row, key) for row in await connection.execute(_LIST, parameters)]


def _event(row: Row[Any], key: DataKey) -> KycEvent:
    return KycEvent(
        id=row.id,
        customer_id=row.customer_id,
        state=KycState(row.state),
        level=KycLevel(row.level),
        reason=None if row.reason is None else key.open(row.reason, _place(row.id)),
        author=row.author,
        at=row.occurred_at,
    )


def _place(event_id: UUID) -> Place:
    return Place(TABLE, "reason", str(event_id))
