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
#
# An endpoint whose circuit is not closed gives nothing but, when its time has come, one probe: what a person
# asked for, else the oldest that is due. Its row is locked for that and says half open until the lease ends,
# so that of many workers one probes. It is passed over where it is locked, as deliveries are: nothing waits.
_CLAIM = text(
    """
    WITH ready AS MATERIALIZED (
        SELECT e.id, first.id AS delivery_id
        FROM webhook_endpoints e
        CROSS JOIN LATERAL (
            SELECT found.id FROM (
                (SELECT 1 AS place, w.id FROM webhook_deliveries w
                 WHERE w.id = e.circuit_wanted AND w.endpoint_id = e.id AND w.status = 'pending'
                   AND w.next_attempt_at <= :now AND w.tries < :max_tries)
                UNION ALL
                (SELECT 2, p.id FROM webhook_deliveries p
                 WHERE p.endpoint_id = e.id AND p.status = 'pending' AND p.next_attempt_at <= :now
                   AND p.tries < :max_tries
                 ORDER BY p.next_attempt_at, p.id LIMIT 1)
            ) AS found ORDER BY found.place LIMIT 1
        ) AS first
        WHERE e.status = 'active' AND e.circuit_state <> 'closed' AND e.circuit_until <= :now
        ORDER BY e.circuit_until
        LIMIT least(CAST(:probes AS integer), CAST(:limit AS integer))
        FOR NO KEY UPDATE OF e SKIP LOCKED
    ), probe AS MATERIALIZED (
        SELECT d.id, d.leased_at AS lost_at
        FROM ready JOIN webhook_deliveries d ON d.id = ready.delivery_id
        WHERE d.status = 'pending' AND d.next_attempt_at <= :now
        FOR UPDATE OF d SKIP LOCKED
    ), due AS MATERIALIZED (
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
        WHERE e.status = 'active' AND e.circuit_state = 'closed'
        ORDER BY row_number() OVER (PARTITION BY e.id ORDER BY d.next_attempt_at, d.id), d.next_attempt_at
        LIMIT :limit - (SELECT count(*) FROM probe)
    ), taken AS (
        SELECT id, lost_at, false AS probe FROM due UNION ALL SELECT id, lost_at, true FROM probe
    ), claimed AS (
        UPDATE webhook_deliveries d
        SET lease_token = :token, leased_at = :now, lease_until = :lease_until,
            next_attempt_at = :lease_until, attempts = d.attempts + 1, tries = d.tries + 1
        FROM taken WHERE d.id = taken.id
        RETURNING d.id, d.endpoint_id, d.notification_id, d.attempts, d.tries, d.created_at, taken.lost_at,
            taken.probe
    ), half_opened AS (
        UPDATE webhook_endpoints e
        SET circuit_state = 'half_open', circuit_until = :lease_until, circuit_wanted = NULL
        FROM claimed WHERE claimed.probe AND e.id = claimed.endpoint_id
    ), lost AS (
        INSERT INTO webhook_attempts (delivery_id, number, started_at, succeeded, error)
        SELECT id, attempts - 1, lost_at, false, 'worker_lost' FROM claimed WHERE lost_at IS NOT NULL
        ON CONFLICT (delivery_id, number) DO NOTHING
    )
    SELECT c.id, c.endpoint_id, c.notification_id, c.attempts, c.tries, e.url, n.body, n.traceparent,
           n.occurred_at, c.created_at > n.recorded_at AS replayed, c.probe,
           c.probe OR coalesce(e.circuit_since > c.created_at, false) AS held_back
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
# Our own lateness: what waits for a receiver's circuit is left out, and counts from when that closed.
_BACKLOG = text(
    """
    SELECT count(*) AS due, min(due_at) AS oldest FROM (
        SELECT greatest(d.next_attempt_at, e.circuit_since) AS due_at
        FROM webhook_endpoints e CROSS JOIN LATERAL (
            SELECT p.next_attempt_at FROM webhook_deliveries p
            WHERE p.endpoint_id = e.id AND p.status = 'pending' AND p.next_attempt_at <= :now
            ORDER BY p.next_attempt_at LIMIT :limit
        ) AS d
        WHERE e.status = 'active' AND e.circuit_state = 'closed' LIMIT :limit
    ) AS bounded
    """
)
_HELD_BACK = text(
    """
    SELECT count(*) AS active, count(*) FILTER (WHERE circuit_state <> 'closed') AS open,
        (SELECT count(*) FROM (
            SELECT FROM webhook_endpoints e CROSS JOIN LATERAL (
                SELECT FROM webhook_deliveries p
                WHERE p.endpoint_id = e.id AND p.status = 'pending' AND p.next_attempt_at <= :now LIMIT :limit
            ) AS d
            WHERE e.status = 'active' AND e.circuit_state <> 'closed' LIMIT :limit
        ) AS bounded) AS deliveries
    FROM webhook_endpoints WHERE status = 'active'
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
    probes: int,
    max_tries: int,
    limit: int,
) -> list[Claim]:
    """Take up to `limit` due deliveries until `lease_until`, no more for an endpoint than it has room for.

    `held` says how many the caller has in hand for an endpoint. Up to `probes` of them try a circuit that is
    not closed, one each. What another worker is claiming is passed over.
    """
    parameters = {
        "now": now,
        "lease_until": lease_until,
        "token": token,
        "busy_ids": list(held),
        "busy_counts": list(held.values()),
        "per_endpoint": per_endpoint,
        "probes": probes,
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
            held_back=row.held_back,
            probe=row.probe,
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
    """How many deliveries are due (counted up to `limit`), and since when the oldest waits for us alone."""
    row = (await connection.execute(_BACKLOG, {"now": now, "limit": limit})).one()
    return row.due, row.oldest


async def held_back(connection: AsyncConnection, *, now: datetime, limit: int) -> tuple[int, int, int]:
    """How many endpoints are active, how many of these have a circuit that is not closed, and how many
    deliveries that are due wait for one (counted up to `limit`)."""
    row = (await connection.execute(_HELD_BACK, {"now": now, "limit": limit})).one()
    return row.active, row.open, row.deliveries
