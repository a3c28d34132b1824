"""The relay carries committed events from the outbox to the broker, and marks only what was confirmed.

It is nudged in-process after each commit that wrote events, and looks by itself now and then for what a
dead process left behind. Any number of relays may work on one outbox.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging import metrics, outbox
from messaging.failures import BrokerUnavailable, is_infrastructure
from messaging.frame import MAX_FRAME_BYTES, MAX_FRAME_EVENTS, Frame, seal
from messaging.outbox import OutboxRow
from messaging.publisher import Publisher, Receipt
from messaging.signing import Key, KeyRing
from messaging.waiting import back_off_s, wait_for_event

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

_CLAIM_LIMIT = 1000
_POLL_INTERVAL_S = 1.0
_PRUNE_INTERVAL = timedelta(minutes=10)

_log = structlog.get_logger(__name__)


class Relay:
    """Run one with `run()`; `stop()` lets it send what is committed and then end."""

    def __init__(
        self,
        *,
        service: str,
        publisher: Publisher,
        transaction: Transaction,
        ring: KeyRing,
        now: Callable[[], datetime],
        retention: timedelta = timedelta(days=7),
    ) -> None:
        self._key: Key = ring.signing_key(service)
        self._publisher = publisher
        self._transaction = transaction
        self._now = now
        self._retention = retention
        self._nudged = asyncio.Event()
        self._stopped = asyncio.Event()
        self.next_prune = now() + _PRUNE_INTERVAL

    def nudge(self) -> None:
        """Say that something new may wait in the outbox."""
        self._nudged.set()

    def nudge_if_written(self, connection: AsyncConnection) -> None:
        """Nudge if the transaction just committed on `connection` wrote to the outbox."""
        if connection.info.pop(outbox.WRITTEN, False):
            self._nudged.set()

    def stop(self) -> None:
        """Send what waits now, then end."""
        self._stopped.set()
        self._nudged.set()

    async def run(self) -> None:
        """Relay until stopped. Outlives every outage of the broker and the database."""
        failures = 0
        try:
            while True:
                self._nudged.clear()
                try:
                    more = await self.relay_once() == _CLAIM_LIMIT
                    await self._prune_if_due()
                    failures = 0
                except Exception as error:
                    if not isinstance(error, BrokerUnavailable) and not is_infrastructure(error):
                        raise
                    failures += 1
                    _log.warning("relay_waits", failures=failures, error=type(error).__name__)
                    if self._stopped.is_set():
                        return  # the rows are safe in the outbox; the next process sends them
                    await wait_for_event(self._stopped, back_off_s(failures))
                    continue
                if more:
                    continue
                if self._stopped.is_set():
                    return
                await wait_for_event(self._nudged, _POLL_INTERVAL_S)
        finally:
            await self._publisher.close()

    async def relay_once(self) -> int:
        """Send one claim of rows; return how many were claimed. Raises `BrokerUnavailable`."""
        # First the channel: rows must not be held locked while the broker is away.
        await self._publisher.open()
        async with self._transaction() as connection:
            rows = await outbox.claim(connection, limit=_CLAIM_LIMIT)
            if not rows:
                return 0
            framed = self._frames(rows)
            receipts = await asyncio.gather(*(self._publisher.publish(frame) for frame, _ in framed))
            by_receipt: dict[Receipt, list[int]] = defaultdict(list)
            for (frame, members), receipt in zip(framed, receipts, strict=True):
                by_receipt[receipt].extend(row.position for row in members)
                if receipt is Receipt.CONFIRMED:
                    metrics.RELAY_SENT.labels(frame.routing_key).inc(len(members))
            await outbox.mark_sent(connection, by_receipt[Receipt.CONFIRMED])
            await outbox.postpone(connection, by_receipt[Receipt.REFUSED])
        if by_receipt[Receipt.REFUSED]:
            _log.error("frames_refused_by_broker", events=len(by_receipt[Receipt.REFUSED]))
        if by_receipt[Receipt.UNKNOWN]:
            await self._publisher.close()
            raise BrokerUnavailable(f"{len(by_receipt[Receipt.UNKNOWN])} events were not confirmed")
        return len(rows)

    def _frames(self, rows: Sequence[OutboxRow]) -> list[tuple[Frame, list[OutboxRow]]]:
        """Group rows by routing key into frames of bounded size, keeping their order."""
        batches: list[list[OutboxRow]] = []
        current: dict[str, tuple[list[OutboxRow], int]] = {}
        for row in rows:
            batch, size = current.get(row.type, ([], 0))
            full = len(batch) == MAX_FRAME_EVENTS or size + len(row.body) > MAX_FRAME_BYTES
            if not batch or full:
                batch, size = [], 0
                batches.append(batch)
            batch.append(row)
            current[row.type] = (batch, size + len(row.body))
        return [
            (
                seal(
                    [row.body.encode() for row in batch],
                    routing_key=batch[0].type,
                    key=self._key,
                    at=self._now(),
                ),
                batch,
            )
            for batch in batches
        ]

    async def _prune_if_due(self) -> None:
        if self._now() < self.next_prune:
            return
        async with self._transaction() as connection:
            pruned = await outbox.prune(connection, retention=self._retention)
        # A full round means that more is due: go on at the next turn.
        if pruned < 10_000:
            self.next_prune = self._now() + _PRUNE_INTERVAL
