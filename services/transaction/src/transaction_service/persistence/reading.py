"""Reading one payment: where it stands, and its whole life."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.statement import Statement
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import RESTING, End, LifecycleEvent, Status
from transaction_service.domain.payment import Payment
from transaction_service.persistence import holds
from transaction_service.persistence.holds import HoldView, Refusal
from transaction_service.persistence.payments import COLUMNS, payment_from

_RESTING = "', '".join(sorted(RESTING))
_ONE = text(
    f"""
    SELECT {COLUMNS}, s.status, s.reason, s.reversed_minor
    FROM payments p JOIN payment_states s ON s.payment_id = p.id
    WHERE p.id = :id AND p.client_id = :client_id
    """  # noqa: S608 - constant text only, as below
)
_EVENTS = text(
    """
    SELECT payment_id, sequence, status, reason, occurred_at, previous_hash, hash
    FROM payment_events WHERE payment_id = :id ORDER BY sequence
    """
)
_REVERSALS = text("SELECT id FROM payments WHERE reverses = :id ORDER BY id")
_AT_REST = Statement(
    f"""
    SELECT payment_id, status, reason FROM payment_states
    WHERE payment_id = ANY(CAST(:ids AS uuid[])) AND status IN ('{_RESTING}')
    """  # noqa: S608
)

# From client to client along the index: what has been rejected in all the years is passed over.
_PENDING = text(
    """
    WITH RECURSIVE clients AS (
        (SELECT client_id FROM payment_states WHERE status <> 'SETTLED' ORDER BY client_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.client_id FROM payment_states s
                WHERE s.status <> 'SETTLED' AND s.client_id > c.client_id ORDER BY s.client_id LIMIT 1)
        FROM clients c WHERE c.client_id IS NOT NULL
    )
    SELECT coalesce(sum(open.count), 0) AS waiting, min(p.created_at) AS since
    FROM clients c CROSS JOIN LATERAL (
        SELECT count(*) AS count, (array_agg(payment_id))[1] AS oldest FROM (
            SELECT payment_id FROM payment_states s
            WHERE s.client_id = c.client_id AND s.status = 'PENDING' AND s.status <> 'SETTLED'
            ORDER BY payment_id LIMIT :limit
        ) AS first
    ) AS open LEFT JOIN payments p ON p.id = open.oldest
    """
)
_MAX_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment and where it stands now."""

    payment: Payment
    status: Status
    reason: str | None
    reversed_minor: int


@dataclass(frozen=True, slots=True)
class PaymentHistory:
    """A payment with every step of its life, the payments that reverse it, and what became of its hold."""

    view: PaymentView
    events: list[LifecycleEvent]
    reversals: list[UUID]
    hold: HoldView | None
    refusal: Refusal | None


async def load_view(connection: AsyncConnection, payment_id: UUID, *, client_id: str) -> PaymentView | None:
    """Return a client's payment and where it stands, or None."""
    row = (await connection.execute(_ONE, {"id": payment_id, "client_id": client_id})).one_or_none()
    return None if row is None else view_from(row)


async def history(connection: AsyncConnection, payment_id: UUID, *, client_id: str) -> PaymentHistory | None:
    """Return a client's payment with its life, or None. Read in one snapshot by the caller's transaction."""
    view = await load_view(connection, payment_id, client_id=client_id)
    if view is None:
        return None
    events = [
        LifecycleEvent(
            e.payment_id, e.sequence, Status(e.status), e.reason, e.occurred_at, e.previous_hash, e.hash
        )
        for e in await connection.execute(_EVENTS, {"id": payment_id})
    ]
    reversals = list((await connection.execute(_REVERSALS, {"id": payment_id})).scalars())
    hold = await holds.view_hold(connection, payment_id) if view.payment.order.hold is not None else None
    rejected = view.status is Status.REJECTED
    refusal = await holds.load_refusal(connection, payment_id) if rejected else None
    return PaymentHistory(view, events, reversals, hold, refusal)


async def ends_of(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> dict[UUID, End]:
    """Return where those of the payments stand that have come to a rest or an end."""
    rows: Sequence[Any] = await _AT_REST.rows(connection, {"ids": list(payment_ids)})
    return {payment_id: End(Status(status), reason) for payment_id, status, reason in rows}


def view_from(row: Row[Any]) -> PaymentView:
    """Build the view from a row of `COLUMNS`, status, reason and reversed_minor."""
    return PaymentView(payment_from(row), Status(row.status), row.reason, row.reversed_minor)


async def pending(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """How many payments are PENDING, and when the oldest of them was made."""
    row = (await connection.execute(_PENDING, {"limit": _MAX_PENDING})).one()
    return int(row.waiting), row.since
