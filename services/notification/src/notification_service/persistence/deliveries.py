"""Deliveries as clients see and steer them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from messaging import notes
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = """d.id, d.client_id, d.endpoint_id, d.notification_id, n.type, d.payment_id, n.sequence,
    d.status, d.attempts, d.next_attempt_at, d.lease_until, d.last_status_code, d.last_error,
    d.created_at, d.finished_at"""
_FROM = "FROM webhook_deliveries d JOIN notifications n ON n.id = d.notification_id"


# Noted, so that the commit which makes deliveries due can wake the worker.
_DUE: Final = "webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A delivery as a client reads it."""

    id: UUID
    client_id: str
    endpoint_id: UUID
    notification_id: UUID
    type: str
    payment_id: UUID | None
    sequence: int
    status: str
    attempts: int
    next_attempt_at: datetime | None
    lease_until: datetime | None
    last_status_code: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None

    def in_hand(self, *, at: datetime) -> bool:
        """Whether a worker is sending it at that moment."""
        return self.lease_until is not None and self.lease_until > at


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One event for one endpoint, to be sent."""

    id: UUID
    client_id: str
    endpoint_id: UUID
    notification_id: UUID
    payment_id: UUID | None


# An event that went to this endpoint before is not a second delivery: the same one starts again, unless it
# is still on its way. The record of its attempts goes on counting.
_ENQUEUE = """
    INSERT INTO webhook_deliveries
        (id, client_id, endpoint_id, notification_id, payment_id, next_attempt_at, created_at)
    SELECT id, client_id, endpoint_id, notification_id, payment_id, :at, :at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS text[]), CAST(:endpoint_ids AS uuid[]),
                CAST(:notification_ids AS uuid[]), CAST(:payment_ids AS uuid[]))
        AS new (id, client_id, endpoint_id, notification_id, payment_id)
    ON CONFLICT (endpoint_id, notification_id) DO
"""
_INSERT = text(_ENQUEUE + " NOTHING")
_INSERT_OR_RESTART = text(
    _ENQUEUE
    + """ UPDATE SET status = 'pending', tries = 0, next_attempt_at = excluded.next_attempt_at,
        finished_at = NULL WHERE webhook_deliveries.status <> 'pending'"""
)
_RESTART = text(
    """
    UPDATE webhook_deliveries
    SET status = 'pending', tries = 0, next_attempt_at = :at, finished_at = NULL,
        lease_token = NULL, leased_at = NULL, lease_until = NULL
    WHERE id = :id
    """
)
# What a worker has in hand it is sending at this moment.
_HASTEN = text(
    """
    UPDATE webhook_deliveries SET next_attempt_at = :at
    WHERE id = :id AND status = 'pending' AND next_attempt_at > :at AND lease_until IS NULL
    """
)
_LOAD = f"SELECT {_COLUMNS} {_FROM} WHERE d.id = :id AND d.client_id = :client_id"
_LOAD_ONE = text(_LOAD)
_LOAD_FOR_UPDATE = text(_LOAD + " FOR NO KEY UPDATE OF d")
_PENDING_OF_TYPE = text(
    f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE d.endpoint_id = :endpoint_id AND d.status = 'pending' AND n.type = :type LIMIT 1
    """
)
# Skips what a worker holds at this moment: its result decides, and the next sweep takes the rest.
_CANCEL = text(
    """
    UPDATE webhook_deliveries d
    SET status = 'cancelled', finished_at = :at, next_attempt_at = NULL,
        lease_token = NULL, leased_at = NULL, lease_until = NULL
    FROM (
        SELECT p.id FROM webhook_deliveries p
        WHERE p.endpoint_id = :endpoint_id AND p.status = 'pending'
          AND (p.lease_until IS NULL OR p.lease_until <= :at)
        LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS idle
    WHERE d.id = idle.id
    """
)
_ATTEMPTS = text(
    """
    SELECT number, started_at, duration_ms, succeeded, status_code, error, detail, response_snippet
    FROM webhook_attempts WHERE delivery_id = :id ORDER BY number DESC LIMIT :limit
    """
)


async def insert(connection: AsyncConnection, new: Sequence[NewDelivery], *, at: datetime) -> None:
    """Enqueue deliveries, due at once; an event already enqueued for an endpoint stays as it is."""
    await connection.execute(_INSERT, _arrays(new, at))
    notes.of(connection)[_DUE] = True


async def insert_or_restart(connection: AsyncConnection, new: Sequence[NewDelivery], *, at: datetime) -> int:
    """Enqueue deliveries, due at once; finished ones start again. Answers how many are due by this."""
    result = await connection.execute(_INSERT_OR_RESTART, _arrays(new, at))
    notes.of(connection)[_DUE] = True
    return int(result.rowcount)


async def restart(connection: AsyncConnection, delivery_id: UUID, *, at: datetime) -> None:
    """Make one delivery due at `at` with its whole schedule before it."""
    await connection.execute(_RESTART, {"id": delivery_id, "at": at})
    notes.of(connection)[_DUE] = True


async def hasten(connection: AsyncConnection, delivery_id: UUID, *, at: datetime) -> None:
    """Make one delivery that waits for its next attempt due at `at`; its schedule goes on from there."""
    await connection.execute(_HASTEN, {"id": delivery_id, "at": at})
    notes.of(connection)[_DUE] = True


def take_due(connection: AsyncConnection) -> bool:
    """Return, once, whether the transaction just committed on `connection` has made deliveries due."""
    return bool(notes.of(connection).pop(_DUE, False))


async def load(connection: AsyncConnection, delivery_id: UUID, *, client_id: str) -> DeliveryView | None:
    """The client's delivery, or None: another client's is as absent."""
    return _one(await connection.execute(_LOAD_ONE, {"id": delivery_id, "client_id": client_id}))


async def load_for_update(
    connection: AsyncConnection, delivery_id: UUID, *, client_id: str
) -> DeliveryView | None:
    return _one(await connection.execute(_LOAD_FOR_UPDATE, {"id": delivery_id, "client_id": client_id}))


async def find_pending(connection: AsyncConnection, *, endpoint_id: UUID, type_: str) -> DeliveryView | None:
    """A pending delivery of this event type to this endpoint, if there is one."""
    return _one(await connection.execute(_PENDING_OF_TYPE, {"endpoint_id": endpoint_id, "type": type_}))


async def list_page(
    connection: AsyncConnection,
    *,
    client_id: str,
    endpoint_id: UUID | None,
    payment_id: UUID | None,
    status: str | None,
    before: UUID | None,
    limit: int,
) -> list[DeliveryView]:
    """The client's deliveries, newest first, before the given one."""
    wanted: dict[str, Any] = {
        "endpoint_id": endpoint_id,
        "payment_id": payment_id,
        "status": status,
    }
    # Only the filters that are asked for stand in the statement: each keeps its index.
    filters = [f"AND d.{name} = :{name}" for name, value in wanted.items() if value is not None]
    if before is not None:
        filters.append("AND d.id < :before")
    statement = text(
        f"SELECT {_COLUMNS} {_FROM} WHERE d.client_id = :client_id {' '.join(filters)} "
        "ORDER BY d.id DESC LIMIT :limit"
    )
    parameters = {name: value for name, value in wanted.items() if value is not None}
    parameters |= {"client_id": client_id, "limit": limit} | ({"before": before} if before else {})
    rows = await connection.execute(statement, parameters)
    return [DeliveryView(**row) for row in rows.mappings()]


async def cancel_pending(connection: AsyncConnection, endpoint_id: UUID, *, at: datetime, limit: int) -> int:
    """Cancel up to `limit` deliveries that wait for this endpoint and that no worker holds."""
    result = await connection.execute(_CANCEL, {"endpoint_id": endpoint_id, "at": at, "limit": limit})
    return int(result.rowcount)


async def load_attempts(
    connection: AsyncConnection, delivery_id: UUID, *, limit: int
) -> Sequence[RowMapping]:
    """The delivery's attempts, newest first."""
    rows = await connection.execute(_ATTEMPTS, {"id": delivery_id, "limit": limit})
    return rows.mappings().all()


def _arrays(new: Sequence[NewDelivery], at: datetime) -> dict[str, Any]:
    return {
        "ids": [d.id for d in new],
        "client_ids": [d.client_id for d in new],
        "endpoint_ids": [d.endpoint_id for d in new],
        "notification_ids": [d.notification_id for d in new],
        "payment_ids": [d.payment_id for d in new],
        "at": at,
    }


def _one(result: Any) -> DeliveryView | None:
    row = result.mappings().one_or_none()
    return None if row is None else DeliveryView(**row)
