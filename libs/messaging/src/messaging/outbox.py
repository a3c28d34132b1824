"""The transactional outbox: an event is written in the same commit as the change that it tells of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.messages import Payload
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging import notes
from messaging.event import Event, encode
from messaging.statement import Statement

# Under which the rows a transaction has written are noted, for the relay to be handed after commit.
_WRITTEN = "outbox"

_ADD = Statement(
    """
    WITH added AS (
        INSERT INTO outbox (event_id, type, subject, body)
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
                             CAST(:bodies AS text[]))
        RETURNING position, event_id
    ), unsent AS (
        INSERT INTO outbox_unsent (position) SELECT position FROM added
    )
    SELECT position, event_id FROM added
    """
)
_CLAIM = text(
    """
    WITH due AS MATERIALIZED (
        SELECT position FROM outbox_unsent
        WHERE available_at <= now() - CAST(:min_age AS interval)
        ORDER BY position LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    SELECT position, o.type, o.body FROM due JOIN outbox o USING (position) ORDER BY position
    """
)
_UNSENT = Statement(
    """
    SELECT position, o.type, o.body FROM outbox_unsent JOIN outbox o USING (position)
    WHERE position = ANY(CAST(:positions AS bigint[])) ORDER BY position
    """
)
_MARK_SENT = Statement("DELETE FROM outbox_unsent WHERE position = ANY(CAST(:positions AS bigint[]))")
# A frame that the broker refuses must not pin the relay: it steps back, ever longer, up to five minutes.
_POSTPONE = text(
    """
    UPDATE outbox_unsent SET attempts = attempts + 1,
        available_at = now() + least(interval '5 minutes', interval '1 second' * power(2, least(attempts, 9)))
    WHERE position = ANY(CAST(:positions AS bigint[]))
    """
)
_REDRIVE = text(
    """
    INSERT INTO outbox_unsent (position) SELECT position FROM outbox WHERE created_at >= :since
    ON CONFLICT (position) DO NOTHING
    """
)
_PRUNE = text(
    """
    DELETE FROM outbox WHERE position IN (
        SELECT position FROM outbox o
        WHERE created_at < now() - CAST(:retention AS interval)
          AND NOT EXISTS (SELECT FROM outbox_unsent u WHERE u.position = o.position)
        LIMIT :limit)
    """
)
_BACKLOG = text(
    """
    SELECT count(*) AS pending,
        coalesce(extract(epoch FROM now() -
            (SELECT created_at FROM outbox WHERE position = min(unsent.position))), 0) AS age_s
    FROM (SELECT position FROM outbox_unsent ORDER BY position LIMIT 100000) AS unsent
    """
)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event that waits to be sent."""

    position: int
    type: str
    body: str


async def add(connection: AsyncConnection, events: Sequence[Event[Payload]]) -> None:
    """Write events in the caller's transaction; the relay sends them once that has committed."""
    if not events:
        return
    encoded = {event.id: (event.type, encode(event).decode()) for event in events}
    parameters = {
        "ids": list(encoded),
        "types": [event.type for event in events],
        "subjects": [event.subject for event in events],
        "bodies": [body for _, body in encoded.values()],
    }
    added = await _ADD.rows(connection, parameters)
    rows = [OutboxRow(position, *encoded[event_id]) for position, event_id in added]
    notes.of(connection).setdefault(_WRITTEN, []).extend(rows)


def take_written(connection: AsyncConnection) -> list[OutboxRow]:
    """Return, once, the rows that the transaction just committed on `connection` has written, in order."""
    rows: list[OutboxRow] = notes.of(connection).pop(_WRITTEN, [])
    return rows


async def claim(
    connection: AsyncConnection, *, limit: int, min_age: timedelta = timedelta(0)
) -> list[OutboxRow]:
    """Take up to `limit` unsent rows that no other relay holds, oldest first, until the transaction ends.

    Rows younger than `min_age` are left to the process that wrote them.
    """
    rows = await connection.execute(_CLAIM, {"limit": limit, "min_age": min_age})
    return [OutboxRow(*row) for row in rows.all()]


async def unsent(connection: AsyncConnection, positions: Sequence[int]) -> list[OutboxRow]:
    """Return those of these rows that still wait, in order, without claiming them."""
    return [OutboxRow(*row) for row in await _UNSENT.rows(connection, {"positions": list(positions)})]


async def mark_sent(connection: AsyncConnection, positions: Sequence[int]) -> None:
    """Record that the broker has confirmed these rows."""
    if positions:
        await _MARK_SENT.run(connection, {"positions": list(positions)})


async def postpone(connection: AsyncConnection, positions: Sequence[int]) -> None:
    """Leave rows that the broker refused for a later try, so that the others go first."""
    if positions:
        await connection.execute(_POSTPONE, {"positions": list(positions)})


async def redrive(connection: AsyncConnection, *, since: datetime) -> int:
    """Send again everything written since then; returns how many events. Inboxes make repeats harmless."""
    result = await connection.execute(_REDRIVE, {"since": since})
    return result.rowcount


async def prune(connection: AsyncConnection, *, retention: timedelta, limit: int = 10_000) -> int:
    """Delete up to `limit` rows that were written longer ago than `retention` and have been sent."""
    result = await connection.execute(_PRUNE, {"retention": retention, "limit": limit})
    return result.rowcount


async def backlog(connection: AsyncConnection) -> tuple[int, float]:
    """Return how many events wait (counted up to 100,000) and the age of the oldest in seconds."""
    row = (await connection.execute(_BACKLOG)).one()
    return int(row.pending), float(row.age_s)
