"""The delivery queue: claim what is due under a lease, record what became of it, sweep what was left."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import Claim, Finished, Settled
from notification_service.domain.notification import webhook_id

# Walks the active endpoints, so that a backlog at one costs the others nothing: each gives what it has room
# for, and the first of every endpoint goes before the second of any. A claimed row is due again when its
# lease ends, which is how a dead worker's deliveries come back; its unanswered attempt is recorded then.
_CLAIM = text(
    """
    WITH due AS MATERIALIZED (
        SELECT d.id, d.leased_at AS lost_at
        FROM webhook_endpoints e
        LEFT JOIN unnest(CAST(:busy_ids AS uuid[]), CAST(:busy_counts AS integer[]))
            AS busy (endpoint_id, held) ON busy.endpoint_id = e.id
        CROSS JOIN LATERAL (
            SELECT p.id, p.next_attempt_at, p.leased_at FROM webhook_deliveries p
            WHERE p.endpoint_id = e.id AND p.status = 'pending' AND p.next_attempt_at <= :now
              AND p.tries < :max_tries
            ORDER BY p.next_attempt_at, p.id
            LIMIT greatest(CAST(:per_endpoint AS integer) - coalesce(busy.held, 0), 0)
            FOR UPDATE SKIP LOCKED
        ) AS d
        WHERE e.status = 'active'
        ORDER BY row_number() OVER (PARTITION BY e.id ORDER BY d.next_attempt_at, d.id), d.next_attempt_at
        LIMIT :limit
    ), claimed AS (
        UPDATE webhook_deliveries d
        SET lease_token = :token, leased_at = :now, lease_until = :lease_until,
            next_attempt_at = :lease_until, attempts = d.attempts + 1, tries = d.tries + 1
        FROM due WHERE d.id = due.id
        RETURNING d.id, d.endpoint_id, d.notification_id, d.attempts, d.tries, d.created_at, due.lost_at
    ), lost AS (
        INSERT INTO webhook_attempts (delivery_id, number, started_at, succeeded, error)
        SELECT id, attempts - 1, lost_at, false, 'worker_lost' FROM claimed WHERE lost_at IS NOT NULL
        ON CONFLICT (delivery_id, number) DO NOTHING
    )
    SELECT c.id, c.endpoint_id, c.notification_id, c.attempts, c.tries, e.url, n.body, n.traceparent,
           n.occurred_at, c.created_at > n.recorded_at AS replayed
    FROM claimed c JOIN webhook_endpoints e ON e.id = c.endpoint_id
    JOIN notifications n ON n.id = c.notification_id
    """
)
# Whoever still holds the lease decides. A late success counts all the same: the receiver has the event.
_RECORD = text(
    """
    WITH result AS (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:tokens AS uuid[]), CAST(:numbers AS integer[]),
            CAST(:started_ats AS timestamptz[]), CAST(:ended_ats AS timestamptz[]),
            CAST(:durations AS integer[]),
            CAST(:successes AS boolean[]), CAST(:status_codes AS integer[]), CAST(:errors AS text[]),
            CAST(:details AS text[]), CAST(:snippets AS text[]), CAST(:statuses AS text[]),
            CAST(:next_ats AS timestamptz[]))
        AS r (id, token, number, started_at, ended_at, duration_ms, succeeded, status_code, error, detail,
              snippet, status, next_at)
    ), recorded AS (
        INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, succeeded, status_code,
                                      error, detail, response_snippet)
        SELECT id, number, started_at, duration_ms, succeeded, status_code, error, detail, snippet FROM result
        ON CONFLICT (delivery_id, number) DO NOTHING
    )
    UPDATE webhook_deliveries d
    SET status = r.status, next_attempt_at = r.next_at, last_status_code = r.status_code,
        last_error = r.error, finished_at = CASE WHEN r.status <> 'pending' THEN r.ended_at END,
        lease_token = NULL, leased_at = NULL, lease_until = NULL
    FROM result r
    WHERE d.id = r.id AND d.status = 'pending' AND (d.lease_token = r.token OR r.succeeded)
    """
)
_SWEEP_DISABLED = text(
    """
    UPDATE webhook_deliveries d
    SET status = 'cancelled', finished_at = :now, next_attempt_at = NULL,
        lease_token = NULL, leased_at = NULL, lease_until = NULL
    FROM (
        SELECT idle.id FROM webhook_endpoints e
        CROSS JOIN LATERAL (
            SELECT p.id FROM webhook_deliveries p
            WHERE p.endpoint_id = e.id AND p.status = 'pending'
              AND (p.lease_until IS NULL OR p.lease_until <= :now)
            LIMIT :limit FOR UPDATE SKIP LOCKED
        ) AS idle
        WHERE e.status <> 'active' LIMIT :limit
    ) AS orphan
    WHERE d.id = orphan.id
    """
)
_SWEEP_LOST = text(
    """
    WITH lost AS (
        SELECT id, attempts, leased_at FROM webhook_deliveries
        WHERE lease_until <= :now AND status = 'pending' AND tries >= :max_tries
        LIMIT :limit FOR UPDATE SKIP LOCKED
    ), recorded AS (
        INSERT INTO webhook_attempts (delivery_id, number, started_at, succeeded, error)
        SELECT id, attempts, leased_at, false, 'worker_lost' FROM lost
        ON CONFLICT (delivery_id, number) DO NOTHING
    )
    UPDATE webhook_deliveries d
    SET status = 'failed', finished_at = :now, next_attempt_at = NULL, last_status_code = NULL,
        last_error = 'worker_lost', lease_token = NULL, leased_at = NULL, lease_until = NULL
    FROM lost WHERE d.id = lost.id
    """
)
_BACKLOG = text(
    """
    SELECT count(*) AS due, min(next_attempt_at) AS oldest FROM (
        SELECT d.next_attempt_at FROM webhook_endpoints e CROSS JOIN LATERAL (
            SELECT p.next_attempt_at FROM webhook_deliveries p
            WHERE p.endpoint_id = e.id AND p.status = 'pending' AND p.next_attempt_at <= :now
            ORDER BY p.next_attempt_at LIMIT :limit
        ) AS d
        WHERE e.status = 'active' LIMIT :limit
    ) AS bounded
    """
)


async def claim(
    connection: AsyncConnection,
    *,
    now: datetime,
    lease_until: datetime,
    token: UUID,
    held: Mapping[UUID, int],
    per_endpoint: int,
    max_tries: int,
    limit: int,
) -> list[Claim]:
    """Take up to `limit` due deliveries until `lease_until`, no more for an endpoint than it has room for.

    `held` says how many the caller has in hand for an endpoint. What another worker is claiming
    is passed over.
    """
    parameters = {
        "now": now,
        "lease_until": lease_until,
        "token": token,
        "busy_ids": list(held),
        "busy_counts": list(held.values()),
        "per_endpoint": per_endpoint,
        "max_tries": max_tries,
        "limit": limit,
    }
    rows = await connection.execute(_CLAIM, parameters)
    return [
        Claim(
            delivery_id=row.id,
            lease_token=token,
            endpoint_id=row.endpoint_id,
            webhook_id=webhook_id(row.notification_id),
            attempt_no=row.attempts,
            tries=row.tries,
            url=row.url,
            body=row.body.encode(),
            traceparent=row.traceparent,
            occurred_at=row.occurred_at,
            replayed=row.replayed,
        )
        for row in rows
    ]


async def record(connection: AsyncConnection, results: Sequence[tuple[Finished, Settled]]) -> None:
    """Append the attempts and move their deliveries on."""
    parameters = {
        "ids": [f.claim.delivery_id for f, _ in results],
        "tokens": [f.claim.lease_token for f, _ in results],
        "numbers": [f.claim.attempt_no for f, _ in results],
        "started_ats": [f.started_at for f, _ in results],
        "ended_ats": [f.ended_at for f, _ in results],
        "durations": [f.duration_ms for f, _ in results],
        "successes": [f.answer.succeeded for f, _ in results],
        "status_codes": [f.answer.status_code for f, _ in results],
        "errors": [f.answer.error.value if f.answer.error else None for f, _ in results],
        "details": [f.answer.detail for f, _ in results],
        "snippets": [f.answer.snippet for f, _ in results],
        "statuses": [s.status.value for _, s in results],
        "next_ats": [s.next_attempt_at for _, s in results],
    }
    await connection.execute(_RECORD, parameters)


async def sweep(connection: AsyncConnection, *, now: datetime, max_tries: int, limit: int) -> tuple[int, int]:
    """Cancel what waits for endpoints that are off, fail what was lost at its last try; counts of both."""
    cancelled = await connection.execute(_SWEEP_DISABLED, {"now": now, "limit": limit})
    lost = await connection.execute(_SWEEP_LOST, {"now": now, "max_tries": max_tries, "limit": limit})
    return int(cancelled.rowcount), int(lost.rowcount)


async def backlog(connection: AsyncConnection, *, now: datetime, limit: int) -> tuple[int, datetime | None]:
    """How many deliveries are due (counted up to `limit`), and since when the oldest of them is."""
    row = (await connection.execute(_BACKLOG, {"now": now, "limit": limit})).one()
    return row.due, row.oldest
