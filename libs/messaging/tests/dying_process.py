"""A relay or consumer that SIGKILLs its own process at the worst moment. Run by the tests of delivery."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.messages import PaymentInitiated
from messaging.event import Event
from messaging.frame import Frame
from messaging.processor import Processor
from messaging.publisher import Publisher, Receipt
from messaging.signing import KeyRing
from messaging.topology import Topology
from service_kit.database import Database
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.bus import Bench, apply_effects, now, payment_initiated


class DyingPublisher(Publisher):
    """Dies when the broker has confirmed and nothing is marked yet."""

    async def publish(self, frame: Frame) -> Receipt:
        """Publish, then die."""
        receipt = await super().publish(frame)
        assert receipt is Receipt.CONFIRMED
        os.kill(os.getpid(), signal.SIGKILL)
        return receipt


class DyingProcessor(Processor):
    """Dies when the effect is committed and nothing is acknowledged yet."""

    async def process(self, frames: Sequence[Frame]) -> None:
        """Process, then die."""
        await super().process(frames)
        os.kill(os.getpid(), signal.SIGKILL)


async def die_in_transaction(connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
    """Dies when the effect is written and nothing is committed yet."""
    await apply_effects(connection, events)
    os.kill(os.getpid(), signal.SIGKILL)


async def main(part: str) -> None:
    """Run until death."""
    bench = Bench(
        database=Database(os.environ["DATABASE_URL"]),
        url=os.environ["DATABASE_URL"],
        admin_url="",
        broker_url=os.environ["BROKER_URL"],
        topology=Topology(os.environ["NAMESPACE"]),
        ring=KeyRing.load(Path(os.environ["KEYRING"])),
        keyring_path=Path(os.environ["KEYRING"]),
    )
    if part == "handed":
        publisher = DyingPublisher(bench.broker_url, bench.topology, name="dying relay")
        relay = bench.relay(publisher)
        bench.database = Database(os.environ["DATABASE_URL"], after_commit=relay.nudge_if_written)
        await bench.add([payment_initiated() for _ in range(100)])
        await relay.run()
    elif part == "relay":
        publisher = DyingPublisher(bench.broker_url, bench.topology, name="dying relay")
        await bench.relay(publisher).run()
    elif part == "consumer-in-transaction":
        await bench.consumer(bench.processor(die_in_transaction)).run()
    else:
        processor = DyingProcessor(
            transaction=bench.database.transaction,
            handlers={PaymentInitiated: apply_effects},
            ring=bench.ring,
            now=now,
        )
        await bench.consumer(processor).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
