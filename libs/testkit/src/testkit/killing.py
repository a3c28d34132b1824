"""One service's real process on a real broker, killed with its hands full and started again.

The test plays the transaction service: it sends what that would send, and hears the answers.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from florin.environment import Surroundings
from florin.services import module_of
from messaging.consumer import Consumer
from messaging.event import read
from messaging.frame import Frame, unseal
from messaging.publisher import Publisher, Receipt
from messaging.signing import KeyRing
from messaging.topology import Topology

from testkit.waiting import eventually


@dataclass
class Answers:
    """Stands in for the transaction service's processor: verifies, reads, remembers by payment.

    `tell` says in a word what an answer's payload says.
    """

    ring: KeyRing
    tell: Callable[[Any], str]
    event_ids: dict[UUID, set[UUID]] = field(default_factory=dict)
    outcomes: dict[UUID, str] = field(default_factory=dict)

    async def process(self, frames: Sequence[Frame]) -> None:
        """What a consumer does with frames."""
        for frame in frames:
            for raw in unseal(frame, ring=self.ring, now=datetime.now(UTC)):
                data: Any = read(raw).data
                self.event_ids.setdefault(data.payment_id, set()).add(raw.id)
                self.outcomes[data.payment_id] = self.tell(data)


async def kill_in_the_middle(
    service: str,
    surroundings: Surroundings,
    *,
    frames: Sequence[Frame],
    answers: Answers,
    expected: int,
    nothing_unsent: Callable[[], Awaitable[bool]],
    log: Path,
) -> None:
    """Send `frames`, SIGKILL the process in their midst, send some again, and see it answer the rest.

    Returns when all `expected` payments are answered, the outbox is empty and the process has ended in
    good order.
    """
    async with _hearing(surroundings, answers):
        with _process(service, surroundings, log):
            await ready(service, surroundings)
            await send(surroundings, frames)
            # Killed with frames in hand, in the outbox and unconfirmed.
            await eventually(lambda: len(answers.outcomes) > 0)
        assert len(answers.outcomes) < expected, "the kill came too late to matter"
        await send(surroundings, frames[::7])
        with _process(service, surroundings, log) as process:
            await eventually(lambda: len(answers.outcomes) == expected, timeout_s=30)
            await eventually(nothing_unsent)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 20) == 0


async def send(surroundings: Surroundings, frames: Sequence[Frame]) -> None:
    """Publish frames as the transaction service would."""
    publisher = Publisher(surroundings.broker_url, Topology(surroundings.namespace), name="test")
    await publisher.open()
    try:
        receipts = await asyncio.gather(*(publisher.publish(frame) for frame in frames))
        assert set(receipts) == {Receipt.CONFIRMED}
    finally:
        await publisher.close()


async def ready(service: str, surroundings: Surroundings) -> None:
    """Return when the service may be given work."""

    async def answers_ready() -> bool:
        try:
            async with httpx2.AsyncClient() as http:
                address = f"http://127.0.0.1:{surroundings.ports.internal(service)}/readyz"
                return (await http.get(address)).status_code == 200
        except httpx2.TransportError:
            return False

    await eventually(answers_ready, timeout_s=60)


@asynccontextmanager
async def _hearing(surroundings: Surroundings, answers: Answers) -> AsyncIterator[None]:
    consumer = Consumer(
        url=surroundings.broker_url,
        queue=Topology(surroundings.namespace).queue("transaction"),
        processor=answers,  # type: ignore[arg-type]
        probe=_always_well,
    )
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        consumer.stop()
        await running


async def _always_well() -> None:
    return


@contextmanager
def _process(service: str, surroundings: Surroundings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The service with every role, killed at the end if it still lives."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module_of(service), "all"],
            env=surroundings.environment_of(service),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)
