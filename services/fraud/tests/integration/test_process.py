"""The whole process on a real broker: killed at any instant, it answers every payment exactly once."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from contracts.messages import FraudAssessed, PaymentInitiated
from florin.environment import Surroundings
from messaging.consumer import Consumer
from messaging.event import Event, read
from messaging.frame import Frame, unseal
from messaging.publisher import Publisher, Receipt
from messaging.signing import KeyRing
from messaging.topology import Topology
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase
from testkit.waiting import eventually


class Answers:
    """Stands in for the transaction service's processor: verifies, reads, remembers."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self.event_ids: dict[UUID, set[UUID]] = {}
        self.decisions: dict[UUID, str] = {}

    async def process(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            for raw in unseal(frame, ring=self._ring, now=datetime.now(UTC)):
                data = read(raw).data
                assert isinstance(data, FraudAssessed)
                self.event_ids.setdefault(data.payment_id, set()).add(raw.id)
                self.decisions[data.payment_id] = data.decision


@pytest.fixture
def surroundings(
    databases: Databases, backing: Backing, fraud_database: ServiceDatabase, broker_namespace: str
) -> Surroundings:
    return databases.surroundings(fraud_database.name, ports=backing.ports, namespace=broker_namespace)


@pytest.fixture
async def answers(broker_url: str, broker_namespace: str, keyring: KeyRing) -> AsyncIterator[Answers]:
    heard = Answers(keyring)
    consumer = Consumer(
        url=broker_url,
        queue=Topology(broker_namespace).queue("transaction"),
        processor=heard,  # type: ignore[arg-type]
        probe=_always_well,
    )
    running = asyncio.create_task(consumer.run())
    yield heard
    consumer.stop()
    await running


async def _always_well() -> None:
    return


@contextmanager
def fraud_process(surroundings: Surroundings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m fraud_service all`, killed at the end if it still lives."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fraud_service", "all"],
            env=surroundings.environment_of("fraud"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)


async def _send(
    fraud: Any, broker_url: str, namespace: str, events: Sequence[Event[PaymentInitiated]]
) -> None:
    publisher = Publisher(broker_url, Topology(namespace), name="test")
    await publisher.open()
    try:
        frames = [fraud.frame(events[n : n + 50]) for n in range(0, len(events), 50)]
        receipts = await asyncio.gather(*(publisher.publish(frame) for frame in frames))
        assert set(receipts) == {Receipt.CONFIRMED}
    finally:
        await publisher.close()


async def test_killed_and_started_again_it_answers_every_payment_once(
    fraud: Any,
    surroundings: Surroundings,
    broker_url: str,
    broker_namespace: str,
    answers: Answers,
    tmp_path: Path,
    make_payment: Callable[..., Event[PaymentInitiated]],
) -> None:

    async def nothing_unsent() -> bool:
        return not await fraud.rows("SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT 1")

    events = [make_payment(amount_minor=1_000_000 if n % 10 == 0 else 1) for n in range(2_000)]
    log = tmp_path / "fraud.log"
    with fraud_process(surroundings, log):
        await _ready(surroundings)
        await _send(fraud, broker_url, broker_namespace, events)
        # Killed somewhere in the middle, with frames in hand, in the outbox and unconfirmed.
        await eventually(lambda: len(answers.decisions) > 0)
    assert len(answers.decisions) < 2_000, "the kill came too late to matter"
    await _send(fraud, broker_url, broker_namespace, events[::7])
    with fraud_process(surroundings, log) as process:
        await eventually(lambda: len(answers.decisions) == 2_000, timeout_s=30)
        await _ready(surroundings)
        sent: bool = await eventually(nothing_unsent)
        assert sent
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
    assert {len(ids) for ids in answers.event_ids.values()} == {1}
    assert Counter(answers.decisions.values()) == {"approve": 1_800, "review": 200}
    kept = await fraud.rows("SELECT count(*) AS n FROM decisions")
    assert kept[0].n == 2_000
    assert await fraud.parked() == {}


async def _ready(surroundings: Surroundings) -> None:
    internal = f"http://127.0.0.1:{surroundings.ports.internal('fraud')}"

    async def ready() -> bool:
        try:
            async with httpx2.AsyncClient() as http:
                return (await http.get(f"{internal}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    is_ready: bool = await eventually(ready, timeout_s=30)
    assert is_ready
    async with httpx2.AsyncClient() as http:
        metrics = (await http.get(f"{internal}/metrics")).text
        assert "florin_fraud_decisions_total" in metrics
        api = await http.get(f"http://127.0.0.1:{surroundings.ports.api('fraud')}/v1/rules")
        assert api.status_code == 401
