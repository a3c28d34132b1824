"""What a service composes: its relay, its consumer and what belongs to them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from contracts.messages import Payload
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging import metrics, outbox
from messaging.consumer import Consumer
from messaging.failures import is_infrastructure
from messaging.parked import Replayer
from messaging.processor import Handler, Processor, Transaction
from messaging.publisher import Publisher
from messaging.relay import Relay
from messaging.signing import KeyRing
from messaging.topology import Topology
from messaging.waiting import wait_for_event

_OBSERVE_INTERVAL_S = 5.0
_COUNT_PARKED = text("SELECT count(*) FROM parked WHERE status IN ('parked', 'replaying')")

_log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class MessagingSettings:
    """Where the broker is and which keys sign and verify."""

    broker_url: str
    keyring_file: Path
    namespace: str = "florin"


class Messaging:
    """The messaging parts of one process; each has `run()` and `stop()`.

    `relay` and `gauges` belong into every process that writes; `consumer` and `replayer` into workers.
    """

    def __init__(
        self,
        settings: MessagingSettings,
        *,
        service: str,
        transaction: Transaction,
        handlers: Mapping[type[Payload], Handler],
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        topology = Topology(settings.namespace)
        ring = KeyRing.load(settings.keyring_file)
        metrics.KEYRING_AGE.set_function(ring.age_s)
        self._transaction = transaction
        self.relay = Relay(
            service=service,
            publisher=Publisher(settings.broker_url, topology, name=f"{service} relay"),
            transaction=transaction,
            ring=ring,
            now=now,
        )
        self.processor = Processor(transaction=transaction, handlers=handlers, ring=ring, now=now)
        self.consumer = Consumer(
            url=settings.broker_url,
            queue=topology.queue(service),
            processor=self.processor,
            probe=self._probe,
        )
        self.replayer = Replayer(self.processor, transaction)
        self.gauges = BacklogGauges(transaction)

    def nudge_if_written(self, connection: AsyncConnection) -> None:
        """To be called after each commit: wakes the relay if the transaction wrote events."""
        self.relay.nudge_if_written(connection)

    async def _probe(self) -> None:
        async with self._transaction() as connection:
            await connection.execute(text("SELECT 1"))


class BacklogGauges:
    """Keeps the gauges of outbox and parked true, also while the relay itself is stuck."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End at once."""
        self._stopped.set()

    async def run(self) -> None:
        """Measure every few seconds until stopped."""
        while not await wait_for_event(self._stopped, _OBSERVE_INTERVAL_S):
            try:
                async with self._transaction() as connection:
                    pending, age_s = await outbox.backlog(connection)
                    parked = (await connection.execute(_COUNT_PARKED)).scalar_one()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                _log.debug("gauges_wait", error=type(error).__name__)
                continue
            metrics.OUTBOX_PENDING.set(pending)
            metrics.OUTBOX_AGE.set(age_s)
            metrics.PARKED_EVENTS.set(parked)
