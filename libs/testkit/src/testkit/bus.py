"""A service reduced to its messaging: its tables, and one more in which effects can be counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from contracts.messages import PaymentInitiated, PostingRequested
from messaging import outbox
from messaging.consumer import Consumer
from messaging.event import Event, new_event
from messaging.processor import Handler, Processor
from messaging.publisher import Publisher
from messaging.relay import Relay
from messaging.signing import KeyRing
from messaging.topology import Topology
from service_kit.database import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_EFFECT = text(
    "INSERT INTO effects (event_id, subject) SELECT * FROM unnest(CAST(:i AS uuid[]), CAST(:s AS text[]))"
)


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


async def apply_effects(connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
    """The handler of these tests: one row for each event."""
    parameters = {"i": [event.id for event in events], "s": [event.subject for event in events]}
    await connection.execute(_EFFECT, parameters)


def payment_initiated(payment_id: UUID | None = None, *, amount_minor: int = 100) -> Event[PaymentInitiated]:
    """An event that transaction may send and fraud hears."""
    payment_id = payment_id or uuid4()
    return new_event(
        PaymentInitiated(
            payment_id=payment_id,
            client_id="demo",
            kind="transfer",
            debtor="A",
            creditor="B",
            amount_minor=amount_minor,
            currency="EUR",
            created_at=now(),
        ),
        subject=str(payment_id),
        sequence=1,
        at=now(),
    )


def posting_requested() -> Event[PostingRequested]:
    """An event that transaction may send and account hears."""
    payment_id = uuid4()
    return new_event(
        PostingRequested(
            payment_id=payment_id,
            client_id="demo",
            kind="transfer",
            debtor="A",
            creditor="B",
            amount_minor=1,
            currency="EUR",
        ),
        subject=str(payment_id),
        sequence=1,
        at=now(),
    )


@dataclass
class Bench:
    """One database that plays sender (`transaction`) and receiver (`fraud`) at once, and a broker."""

    database: Database
    url: str
    admin_url: str
    broker_url: str
    topology: Topology
    ring: KeyRing
    keyring_path: Path

    def relay(
        self,
        publisher: Publisher | None = None,
        *,
        retention: timedelta = timedelta(days=7),
        owned: timedelta = timedelta(0),
    ) -> Relay:
        """A relay of what `transaction` sends. It claims at once what others have committed."""
        return Relay(
            service="transaction",
            publisher=publisher or Publisher(self.broker_url, self.topology, name="test relay"),
            transaction=self.database.transaction,
            ring=self.ring,
            now=now,
            retention=retention,
            owned=owned,
        )

    def processor(self, handler: Handler = apply_effects) -> Processor:
        """What fraud does with payment.initiated."""
        return Processor(
            transaction=self.database.transaction,
            handlers={PaymentInitiated: handler},
            ring=self.ring,
            now=now,
        )

    def consumer(self, processor: Processor | None = None) -> Consumer:
        """A consumer of fraud's queue."""
        return Consumer(
            url=self.broker_url,
            queue=self.topology.queue("fraud"),
            processor=processor or self.processor(),
            probe=self.ping,
        )

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.scalar("SELECT 1")

    async def add(self, events: Sequence[Event[Any]]) -> None:
        """Commit events to the outbox."""
        async with self.database.transaction() as connection:
            await outbox.add(connection, events)

    async def scalar(self, query: str) -> Any:
        """One value, as the application sees it."""
        async with self.database.transaction() as connection:
            return (await connection.execute(text(query))).scalar_one()


@asynccontextmanager
async def running(*components: Any) -> AsyncIterator[None]:
    """Run components while the block runs, then stop them and wait for their ends."""
    tasks = [asyncio.create_task(component.run()) for component in components]
    try:
        yield
    finally:
        for component in components:
            component.stop()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)
