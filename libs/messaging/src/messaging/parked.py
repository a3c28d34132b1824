"""Events that could not be handled, kept until a person decides: replay or discard.

A parked event is in the inbox, so that a second delivery of it does nothing. A replay runs in the service
itself, by its own handlers, in the transaction that marks it replayed.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.event import RawEvent, read
from messaging.failures import PermanentFailure, is_infrastructure
from messaging.storable import storable
from messaging.tracing import process_spans
from messaging.waiting import wait_for_event

if TYPE_CHECKING:
    from messaging.processor import Processor

_POLL_INTERVAL_S = 2.0

_log = structlog.get_logger(__name__)

_PARK = text(
    """
    INSERT INTO parked (event_id, type, subject, body, reason, detail)
    VALUES (:event_id, :type, :subject, :body, :reason, :detail) ON CONFLICT (event_id) DO NOTHING
    """
)
_LIST = text(
    """
    SELECT event_id, type, subject, body, reason, detail, status, parked_at FROM parked
    WHERE status = ANY(CAST(:statuses AS text[])) ORDER BY parked_at, event_id LIMIT :limit
    """
)
_GET = text(
    """
    SELECT event_id, type, subject, body, reason, detail, status, parked_at FROM parked
    WHERE event_id = :event_id
    """
)
_MOVE = text(
    """
    UPDATE parked SET status = :status, changed_at = now()
    WHERE event_id = ANY(CAST(:event_ids AS uuid[])) AND status = ANY(CAST(:statuses AS text[]))
    RETURNING event_id
    """
)
_ACT = text(
    """
    INSERT INTO parked_actions (event_id, action, author, note)
    SELECT unnest(CAST(:event_ids AS uuid[])), :action, :author, :note
    """
)
_NEXT_REPLAY = text(
    """
    SELECT event_id, type, subject, body FROM parked WHERE status = 'replaying'
    ORDER BY parked_at LIMIT 1 FOR UPDATE SKIP LOCKED
    """
)
_FINISH_REPLAY = text(
    """
    UPDATE parked SET status = :status, reason = coalesce(:reason, reason),
        detail = coalesce(:detail, detail), changed_at = now() WHERE event_id = :event_id
    """
)


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A parked event with why it was parked. `status` is parked, replaying, replayed or discarded."""

    event_id: UUID
    type: str
    subject: str
    body: str
    reason: str
    detail: str
    status: str
    parked_at: datetime


async def park(connection: AsyncConnection, raw: RawEvent, *, code: str, detail: str) -> None:
    """Keep one event with its reason, in the caller's transaction."""
    await connection.execute(
        _PARK,
        {
            "event_id": raw.id,
            "type": raw.type,
            "subject": storable(raw.subject),
            "body": orjson.dumps(raw.attributes).decode(),
            "reason": code,
            "detail": storable(detail),
        },
    )


async def find(
    connection: AsyncConnection, *, statuses: Sequence[str] = ("parked", "replaying"), limit: int = 1000
) -> list[ParkedEvent]:
    """List parked events of the given statuses, oldest first."""
    rows = await connection.execute(_LIST, {"statuses": list(statuses), "limit": limit})
    return [ParkedEvent(*row) for row in rows]


async def get(connection: AsyncConnection, event_id: UUID) -> ParkedEvent | None:
    """Return one parked event, or None."""
    row = (await connection.execute(_GET, {"event_id": event_id})).one_or_none()
    return ParkedEvent(*row) if row is not None else None


async def request_replay(
    connection: AsyncConnection, event_ids: Sequence[UUID], *, author: str, note: str
) -> list[UUID]:
    """Ask the service to handle these again; returns those that were parked or discarded. Keeps who asked and
    why."""
    # What was given up by mistake must have a way back: its payment waits for ever otherwise.
    action = _Action("replay", leads_to="replaying", of=("parked", "discarded"))
    return await _decide(connection, event_ids, action, author, note)


async def discard(
    connection: AsyncConnection, event_ids: Sequence[UUID], *, author: str, note: str
) -> list[UUID]:
    """Give these up; returns those that were parked. Keeps who decided and why."""
    action = _Action("discard", leads_to="discarded", of=("parked",))
    return await _decide(connection, event_ids, action, author, note)


@dataclass(frozen=True, slots=True)
class _Action:
    """What a person may do with events of certain statuses."""

    name: str
    leads_to: str
    of: tuple[str, ...]


async def _decide(
    connection: AsyncConnection, event_ids: Sequence[UUID], action: _Action, author: str, note: str
) -> list[UUID]:
    move = {"event_ids": list(event_ids), "status": action.leads_to, "statuses": list(action.of)}
    ids = list((await connection.execute(_MOVE, move)).scalars())
    if ids:
        act = {"event_ids": ids, "action": action.name, "author": author, "note": note}
        await connection.execute(_ACT, act)
    return ids


class Replayer:
    """Runs the replays that were asked for, one event a transaction, with the service's own handlers."""

    def __init__(
        self, processor: "Processor", transaction: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    ) -> None:
        self._processor = processor
        self._transaction = transaction
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End after the replay that is under way."""
        self._stopped.set()

    async def run(self) -> None:
        """Look for replays until stopped; waits out any outage."""
        while not self._stopped.is_set():
            try:
                if await self.replay_next():
                    continue
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                _log.warning("replayer_waits", error=type(error).__name__)
            await wait_for_event(self._stopped, _POLL_INTERVAL_S)

    async def replay_next(self) -> bool:
        """Replay the oldest event that waits for it; False if none does."""
        event_id: UUID | None = None
        try:
            async with self._transaction() as connection:
                row = (await connection.execute(_NEXT_REPLAY)).one_or_none()
                if row is None:
                    return False
                event_id = row.event_id
                raw = RawEvent(row.event_id, row.type, row.subject, orjson.loads(row.body))
                with process_spans([read(raw)]) as events:
                    await self._processor.dispatch(connection, events)
                await self._finish(connection, row.event_id, "replayed")
        except Exception as error:
            if event_id is None or is_infrastructure(error):
                raise
            known = isinstance(error, PermanentFailure)
            async with self._transaction() as connection:
                await self._finish(
                    connection,
                    event_id,
                    "parked",
                    reason=error.code if isinstance(error, PermanentFailure) else "handler_failed",
                    detail=str(error)[:500],
                )
            _log.error("replay_failed", event_id=str(event_id), exc_info=None if known else error)
        return True

    @staticmethod
    async def _finish(
        connection: AsyncConnection,
        event_id: UUID,
        status: str,
        reason: str | None = None,
        detail: str | None = None,
    ) -> None:
        parameters = {
            "event_id": event_id,
            "status": status,
            "reason": reason,
            "detail": None if detail is None else storable(detail),
        }
        await connection.execute(_FINISH_REPLAY, parameters)
