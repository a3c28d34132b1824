"""The relay carries committed events from the outbox to the broker, and marks only what was confirmed.

What its own process commits it is handed at once, in memory, and sends without asking the database. What
nobody has sent after a while, because a process died or the broker was away, any relay claims and sends.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
from messaging.tracing import send_span
from messaging.waiting import back_off_s, wait_for_event

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

_CLAIM_LIMIT = 1000
_POLL_INTERVAL_S = 1.0
# Rows younger than this belong to the process that wrote them, which is most likely sending them right now.
_OWNED = timedelta(seconds=2)
# What cannot be sent as fast as it is written is left in the outbox: of the first rows of a backlog the texts
# are kept, of the next their positions, and the rest is claimed once it is old enough.
_MAX_FRESH = 5_000
_MAX_LEFT = 100_000
# Marks wait this long for company. A process that dies meanwhile has events sent twice, which inboxes expect.
_MARK_DELAY_S = 0.1
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
        owned: timedelta = _OWNED,
    ) -> None:
        # Asked once now, so that a ring without a key is told at the start and not at the first message.
        ring.signing_key(service)
        self._service = service
        self._ring = ring
        self._publisher = publisher
        self._transaction = transaction
        self._now = now
        self._retention = retention
        self._owned = owned
        self._fresh: deque[OutboxRow] = deque()
        self._left: deque[int] = deque()
        self._sent: list[int] = []
        self._mark_at_s = 0.0
        self._next_poll_s = 0.0
        self._nudged = asyncio.Event()
        self._stopped = asyncio.Event()
        self.next_prune = now() + _PRUNE_INTERVAL

    def nudge_if_written(self, connection: AsyncConnection) -> None:
        """Take over what the transaction just committed on `connection` has written to the outbox."""
        rows = outbox.take_written(connection)
        if not rows:
            return
        room = 0 if self._left else max(0, _MAX_FRESH - len(self._fresh))
        self._fresh.extend(rows[:room])
        self._left.extend(row.position for row in rows[room:][: _MAX_LEFT - len(self._left)])
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
                    more = await self._turn()
                    failures = 0
                    metrics.BROKER_UP.labels("relay").set(1)
                except Exception as error:
                    if not isinstance(error, BrokerUnavailable) and not is_infrastructure(error):
                        raise
                    failures += 1
                    if isinstance(error, BrokerUnavailable):
                        metrics.BROKER_UP.labels("relay").set(0)
                    # Safe in the outbox, from where they are claimed once the outage is over.
                    self._fresh.clear()
                    self._left.clear()
                    _log.warning("relay_waits", failures=failures, error=type(error).__name__)
                    if self._stopped.is_set():
                        return
                    await wait_for_event(self._stopped, back_off_s(failures))
                    continue
                if more:
                    continue
                if self._stopped.is_set():
                    return
                await wait_for_event(self._nudged, _MARK_DELAY_S if self._sent else _POLL_INTERVAL_S)
        finally:
            await self._publisher.close()

    async def _turn(self) -> bool:
        """Send what was handed over, and now and then what was left; True if there is more to do at once."""
        stopping = self._stopped.is_set()
        now_s = asyncio.get_running_loop().time()
        if self._left and not self._fresh:
            await self._take_left()
        if self._fresh:
            await self._send_fresh()
        if self._sent and (stopping or len(self._sent) >= _CLAIM_LIMIT or now_s >= self._mark_at_s):
            await self._mark_sent()
        waiting = bool(self._fresh or self._left)
        # A stream of fresh rows must not keep old ones waiting.
        if now_s < self._next_poll_s and (waiting or not stopping):
            return waiting
        await self._mark_sent()
        claimed = await self.relay_once(min_age=timedelta(0) if stopping else self._owned)
        await self._prune_if_due()
        if claimed < _CLAIM_LIMIT:
            self._next_poll_s = now_s + _POLL_INTERVAL_S
        return waiting or claimed == _CLAIM_LIMIT

    async def _take_left(self) -> None:
        """Read again what this process has committed and could not keep."""
        positions = [self._left.popleft() for _ in range(min(len(self._left), _CLAIM_LIMIT))]
        async with self._transaction() as connection:
            self._fresh.extend(await outbox.unsent(connection, positions))

    async def _send_fresh(self) -> None:
        """Send rows that this process has just committed. Raises `BrokerUnavailable`."""
        rows = [self._fresh.popleft() for _ in range(min(len(self._fresh), _CLAIM_LIMIT))]
        await self._publisher.open()
        receipts = await self._publish(rows)
        if not self._sent:
            self._mark_at_s = asyncio.get_running_loop().time() + _MARK_DELAY_S
        self._sent += receipts[Receipt.CONFIRMED]
        if receipts[Receipt.REFUSED]:
            async with self._transaction() as connection:
                await outbox.postpone(connection, receipts[Receipt.REFUSED])
        await self._complain(receipts)

    async def _mark_sent(self) -> None:
        if self._sent:
            async with self._transaction() as connection:
                await outbox.mark_sent(connection, self._sent)
            self._sent = []

    async def relay_once(self, *, min_age: timedelta = timedelta(0)) -> int:
        """Claim rows and send them; return how many were claimed. Raises `BrokerUnavailable`."""
        # First the channel: rows must not be held locked while the broker is away.
        await self._publisher.open()
        async with self._transaction() as connection:
            rows = await outbox.claim(connection, limit=_CLAIM_LIMIT, min_age=min_age)
            if not rows:
                return 0
            receipts = await self._publish(rows)
            await outbox.mark_sent(connection, receipts[Receipt.CONFIRMED])
            await outbox.postpone(connection, receipts[Receipt.REFUSED])
        await self._complain(receipts)
        return len(rows)

    async def _publish(self, rows: Sequence[OutboxRow]) -> dict[Receipt, list[int]]:
        """Publish rows in frames, all at once; return the positions by what the broker said of them."""
        framed = self._frames(rows)
        receipts = await asyncio.gather(*(self._publish_frame(frame, members) for frame, members in framed))
        by_receipt: dict[Receipt, list[int]] = {receipt: [] for receipt in Receipt}
        for (frame, members), receipt in zip(framed, receipts, strict=True):
            by_receipt[receipt].extend(row.position for row in members)
            if receipt is Receipt.CONFIRMED:
                metrics.RELAY_SENT.labels(frame.routing_key).inc(len(members))
        return by_receipt

    async def _publish_frame(self, frame: Frame, members: Sequence[OutboxRow]) -> Receipt:
        with send_span(frame.routing_key, (row.body for row in members)) as span:
            receipt = await self._publisher.publish(frame)
            if receipt is not Receipt.CONFIRMED:
                span.set_attribute("error.type", receipt.name.lower())
            return receipt

    async def _complain(self, receipts: Mapping[Receipt, Sequence[int]]) -> None:
        if receipts[Receipt.REFUSED]:
            _log.error("frames_refused_by_broker", events=len(receipts[Receipt.REFUSED]))
        if receipts[Receipt.UNKNOWN]:
            await self._publisher.close()
            raise BrokerUnavailable(f"{len(receipts[Receipt.UNKNOWN])} events were not confirmed")

    def _frames(self, rows: Sequence[OutboxRow]) -> list[tuple[Frame, list[OutboxRow]]]:
        """Group rows by routing key into frames of bounded size, keeping their order."""
        key: Key = self._ring.signing_key(self._service)
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
                    key=key,
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
