"""Reviews: the queue of open ones (a projection that empties) and their resolutions (append-only)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.reviews import (
    Resolution,
    ResolveReview,
    Review,
    ReviewOutcome,
    ReviewStatus,
)
from fraud_service.persistence.decisions import payment_of


@dataclass(frozen=True, slots=True)
class ReviewPosition:
    """Where a page of reviews ended: its last row's time (opened or resolved) and payment."""

    at: datetime
    payment_id: UUID


# Before the first row of each order: open ones oldest first, resolved ones latest first.
_START = {
    ReviewStatus.OPEN: ReviewPosition(datetime.min.replace(tzinfo=UTC), UUID(int=0)),
    ReviewStatus.RESOLVED: ReviewPosition(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1)),
}

# What every read of reviews shows: the decision, with its resolution where there is one.
_SHOWN = """
    SELECT d.payment_id, d.client_id, d.kind, d.debtor, d.creditor, d.amount_minor, d.currency, d.reference,
           d.created_at, d.score, d.reasons, d.rules_version, d.decided_at AS opened_at,
           r.decision AS outcome, r.reason, r.resolved_by, r.idempotency_key, r.resolved_at
"""
_ONE = text(
    f"""
    {_SHOWN}
    FROM decisions AS d LEFT JOIN review_resolutions AS r USING (payment_id)
    WHERE d.payment_id = :payment_id AND d.decision = 'review'
    """
)
_OPEN = f"""
    {_SHOWN}
    FROM review_queue AS q
    JOIN decisions AS d USING (payment_id)
    LEFT JOIN review_resolutions AS r USING (payment_id)
    WHERE (q.opened_at, q.payment_id) > (:after_at, :after_id)
"""
_RESOLVED = f"""
    {_SHOWN}
    FROM review_resolutions AS r
    JOIN decisions AS d USING (payment_id)
    WHERE (r.resolved_at, r.payment_id) < (:after_at, :after_id)
"""
_OPEN_ORDER = " ORDER BY q.opened_at, q.payment_id LIMIT :limit"
_RESOLVED_ORDER = " ORDER BY r.resolved_at DESC, r.payment_id DESC LIMIT :limit"
_PAGE_OF_ALL = {
    ReviewStatus.OPEN: text(_OPEN + _OPEN_ORDER),
    ReviewStatus.RESOLVED: text(_RESOLVED + _RESOLVED_ORDER),
}
_PAGE_OF_CLIENT = {
    ReviewStatus.OPEN: text(_OPEN + " AND q.client_id = :client_id" + _OPEN_ORDER),
    ReviewStatus.RESOLVED: text(_RESOLVED + " AND r.client_id = :client_id" + _RESOLVED_ORDER),
}

_RECORD = text(
    """
    WITH recorded AS (
        INSERT INTO review_resolutions
            (payment_id, client_id, decision, reason, resolved_by, idempotency_key, resolved_at)
        VALUES (:payment_id, :client_id, :decision, :reason, :resolved_by, :idempotency_key, :resolved_at)
        ON CONFLICT DO NOTHING RETURNING payment_id),
    dequeued AS (
        DELETE FROM review_queue WHERE payment_id IN (SELECT payment_id FROM recorded))
    SELECT count(*) FROM recorded
    """
)
_STANDING = text(
    """
    SELECT payment_id, decision AS outcome, reason, resolved_by, idempotency_key, resolved_at
    FROM review_resolutions
    WHERE payment_id = :payment_id OR (resolved_by = :resolved_by AND idempotency_key = :idempotency_key)
    """
)
_OPEN_COUNT = text("SELECT count(*) FROM (SELECT 1 FROM review_queue LIMIT 100000) AS waiting")


async def load_review(connection: AsyncConnection, payment_id: UUID) -> Review | None:
    """The review of one payment, or None if it was never held for one."""
    row = (await connection.execute(_ONE, {"payment_id": payment_id})).one_or_none()
    return _review(row) if row is not None else None


async def load_page(
    connection: AsyncConnection,
    *,
    status: ReviewStatus,
    client_id: str | None,
    after: ReviewPosition | None,
    limit: int,
) -> list[Review]:
    """Open reviews oldest first, or resolved ones latest first; of one client, or with None of all."""
    start = after or _START[status]
    parameters: dict[str, Any] = {"after_at": start.at, "after_id": start.payment_id, "limit": limit}
    if client_id is None:
        rows = await connection.execute(_PAGE_OF_ALL[status], parameters)
    else:
        rows = await connection.execute(_PAGE_OF_CLIENT[status], {**parameters, "client_id": client_id})
    return [_review(row) for row in rows]


async def record(
    connection: AsyncConnection, command: ResolveReview, *, client_id: str, at: datetime
) -> bool:
    """Resolve the review of this payment of `client_id`; False if it, or the key, was used before.

    A concurrent decision waits here for the other transaction and then yields to its outcome.
    """
    result = await connection.execute(
        _RECORD,
        {
            "payment_id": command.payment_id,
            "client_id": client_id,
            "decision": command.outcome.value,
            "reason": command.reason,
            "resolved_by": command.resolved_by,
            "idempotency_key": command.idempotency_key,
            "resolved_at": at,
        },
    )
    return bool(result.scalar_one())


async def load_standing(connection: AsyncConnection, command: ResolveReview) -> dict[UUID, Resolution]:
    """The resolutions that stand in the way of `command`, by payment: this review's, and its key's."""
    rows = await connection.execute(
        _STANDING,
        {
            "payment_id": command.payment_id,
            "resolved_by": command.resolved_by,
            "idempotency_key": command.idempotency_key,
        },
    )
    return {row.payment_id: _resolution(row) for row in rows}


async def count_open(connection: AsyncConnection) -> int:
    """How many reviews wait for a person, counted up to 100,000."""
    return int((await connection.execute(_OPEN_COUNT)).scalar_one())


def _review(row: Row[Any]) -> Review:
    return Review(
        payment=payment_of(row),
        score=row.score,
        reasons=tuple(row.reasons),
        rules_version=row.rules_version,
        opened_at=row.opened_at,
        resolution=_resolution(row) if row.outcome is not None else None,
    )


def _resolution(row: Row[Any]) -> Resolution:
    return Resolution(
        outcome=ReviewOutcome(row.outcome),
        reason=row.reason,
        resolved_by=row.resolved_by,
        idempotency_key=row.idempotency_key,
        resolved_at=row.resolved_at,
    )
