"""Turns verified frames into effects, exactly once each, whatever is delivered twice, late or broken.

One batch is one transaction: claim the ids in the inbox, hand the new events to their operations, commit.
If the batch fails it is halved until the culprit stands alone; that one is parked and the others take effect.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from itertools import groupby
from typing import Any

import structlog
from contracts.catalogue import BY_PAYLOAD
from contracts.messages import Payload
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging import inbox, metrics, parked, quarantine
from messaging.event import Event, RawEvent, read
from messaging.failures import MalformedFrame, PermanentFailure, is_infrastructure
from messaging.frame import Frame, unseal
from messaging.signing import KeyRing
from messaging.tracing import process_spans, trace_id_of

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
# Receives events of the payload types it is registered for, in order, all new, inside the transaction that
# claims them.
Handler = Callable[[AsyncConnection, Sequence[Event[Any]]], Awaitable[None]]

# An unknown failure is tried this often on its own before it is parked: enough for a passing race.
_ATTEMPTS = 3

_log = structlog.get_logger(__name__)


class Processor:
    """Knows frames, handlers and the database; knows nothing of AMQP."""

    def __init__(
        self,
        *,
        transaction: Transaction,
        handlers: Mapping[type[Payload], Handler],
        ring: KeyRing,
        now: Callable[[], datetime],
    ) -> None:
        self._transaction = transaction
        self._handlers = {BY_PAYLOAD[payload].name: handler for payload, handler in handlers.items()}
        self._ring = ring
        self._now = now

    async def process(self, frames: Sequence[Frame]) -> None:
        """Return once every event in `frames` has taken effect, been parked, or lies in quarantine.

        Raises whatever `is_infrastructure` knows as such, having changed nothing that a second call with the
        same frames would change again.
        """
        started = time.perf_counter()
        raw, refused = self._verify(frames)
        readable, unreadable = self._read(raw)
        if refused or unreadable:
            async with self._transaction() as connection:
                await quarantine.save(connection, refused)
                await self._park(connection, unreadable)
        for _, why in refused:
            metrics.QUARANTINED.labels(why.code).inc()
            _log.error("frame_quarantined", reason=why.code)
        await self._settle(readable)
        metrics.CONSUMER_BATCH_EVENTS.observe(len(raw))
        metrics.CONSUMER_BATCH_SECONDS.observe(time.perf_counter() - started)

    def _verify(self, frames: Sequence[Frame]) -> tuple[list[RawEvent], list[tuple[Frame, MalformedFrame]]]:
        events: list[RawEvent] = []
        refused: list[tuple[Frame, MalformedFrame]] = []
        now = self._now()
        for frame in frames:
            try:
                events.extend(unseal(frame, ring=self._ring, now=now))
            except MalformedFrame as why:
                refused.append((frame, why))
        return events, refused

    def _read(
        self, raw: Sequence[RawEvent]
    ) -> tuple[list[tuple[RawEvent, Event[Payload]]], list[tuple[RawEvent, PermanentFailure]]]:
        readable: list[tuple[RawEvent, Event[Payload]]] = []
        unreadable: list[tuple[RawEvent, PermanentFailure]] = []
        for event in raw:
            try:
                if event.type not in self._handlers:
                    raise PermanentFailure("no_handler", f"this service does not handle {event.type}")
                readable.append((event, read(event)))
            except PermanentFailure as why:
                unreadable.append((event, why))
        return readable, unreadable

    async def _settle(self, events: Sequence[tuple[RawEvent, Event[Payload]]]) -> None:
        if not events:
            return
        try:
            await self._apply([event for _, event in events])
        except Exception as error:
            if is_infrastructure(error):
                raise
            if len(events) == 1:
                await self._settle_one(*events[0], error)
                return
            _log.warning("batch_split", events=len(events), error=type(error).__name__)
            middle = len(events) // 2
            await self._settle(events[:middle])
            await self._settle(events[middle:])

    async def _settle_one(self, raw: RawEvent, event: Event[Payload], error: Exception) -> None:
        """Try one failing event a few times more unless its failure is permanent, then park it."""
        for _ in range(_ATTEMPTS - 1):
            if isinstance(error, PermanentFailure):
                break
            try:
                await self._apply([event])
            except Exception as again:
                if is_infrastructure(again):
                    raise
                error = again
            else:
                return
        failure = error
        if not isinstance(failure, PermanentFailure):
            _log.error(
                "handler_failed",
                type=event.type,
                event_id=str(event.id),
                trace_id=trace_id_of(event.traceparent),
                exc_info=error,
            )
            failure = PermanentFailure("handler_failed", f"{type(error).__name__}: {error}"[:500])
        async with self._transaction() as connection:
            await self._park(connection, [(raw, failure)])

    async def _apply(self, events: Sequence[Event[Payload]]) -> None:
        fresh: list[Event[Payload]] = []
        with process_spans(events) as traced:
            async with self._transaction() as connection:
                new = await inbox.claim(connection, (event.id for event in traced))
                for event in traced:
                    if event.id in new:
                        new.discard(event.id)  # the same id twice in one batch counts once
                        fresh.append(event)
                await self.dispatch(connection, fresh)
        now = self._now()
        duplicates = len(events) - len(fresh)
        if duplicates:
            metrics.INBOX_DUPLICATES.inc(duplicates)
        for event_type, run in groupby(fresh, key=lambda event: event.type):
            ages = [(now - event.occurred_at).total_seconds() for event in run]
            metrics.CONSUMED.labels(event_type, "handled").inc(len(ages))
            observe = metrics.CONSUMER_DELAY_SECONDS.labels(event_type).observe
            for age in ages:
                observe(max(0.0, age))

    async def dispatch(self, connection: AsyncConnection, events: Sequence[Event[Payload]]) -> None:
        """Hand runs of one handler's types to it, keeping the order in which the events came.

        A handler of several types gets them together: it may have to take its locks all at once.
        """
        for _, run in groupby(events, key=lambda event: id(self._handlers[event.type])):
            batch = list(run)
            await self._handlers[batch[0].type](connection, batch)

    async def _park(
        self, connection: AsyncConnection, failed: Sequence[tuple[RawEvent, PermanentFailure]]
    ) -> None:
        """Park what has not been handled or parked before. The inbox remembers parked events as seen."""
        new = await inbox.claim(connection, (raw.id for raw, _ in failed))
        for raw, why in failed:
            if raw.id in new:
                await parked.park(connection, raw, code=why.code, detail=why.detail)
                metrics.CONSUMED.labels(raw.type, "parked").inc()
                _log.error(
                    "event_parked",
                    reason=why.code,
                    type=raw.type,
                    event_id=str(raw.id),
                    trace_id=trace_id_of(raw.attributes.get("traceparent")),
                )
