"""The whole process on a real broker: killed at any instant, it moves each payment's money exactly once."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from contracts.messages import PostingCompleted, PostingDeclined, PostingRequested
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

from .bank import Bank, requested, transfer

PAYMENTS = 2_000


class Answers:
    """Stands in for the transaction service's processor: verifies, reads, remembers."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self.event_ids: dict[UUID, set[UUID]] = {}
        self.outcomes: dict[UUID, str] = {}

    async def process(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            for raw in unseal(frame, ring=self._ring, now=datetime.now(UTC)):
                data = read(raw).data
                assert isinstance(data, PostingCompleted | PostingDeclined)
                self.event_ids.setdefault(data.payment_id, set()).add(raw.id)
                self.outcomes[data.payment_id] = (
                    data.code if isinstance(data, PostingDeclined) else "completed"
                )


@pytest.fixture
def surroundings(
    databases: Databases, backing: Backing, account_database: ServiceDatabase, broker_namespace: str
) -> Surroundings:
    return databases.surroundings(account_database.name, ports=backing.ports, namespace=broker_namespace)


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
def account_process(surroundings: Surroundings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m account_service all`, killed at the end if it still lives."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "account_service", "all"],
            env=surroundings.environment_of("account"),
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
    bank: Bank, broker_url: str, namespace: str, events: Sequence[Event[PostingRequested]]
) -> None:
    publisher = Publisher(broker_url, Topology(namespace), name="test")
    await publisher.open()
    try:
        frames = [bank.frame(events[n : n + 25]) for n in range(0, len(events), 25)]
        receipts = await asyncio.gather(*(publisher.publish(frame) for frame in frames))
        assert set(receipts) == {Receipt.CONFIRMED}
    finally:
        await publisher.close()


async def test_killed_and_started_again_it_moves_each_payment_once(
    bank: Bank,
    surroundings: Surroundings,
    broker_url: str,
    broker_namespace: str,
    answers: Answers,
    tmp_path: Path,
) -> None:
    payees = [await bank.open() for _ in range(10)]
    # The payer can pay all but the last hundred.
    payer = await bank.open(balance=PAYMENTS - 100)
    events = [requested(transfer(payer, payees[n % 10])) for n in range(PAYMENTS)]

    async def nothing_unsent() -> bool:
        return not await bank.rows("SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT 1")

    log = tmp_path / "account.log"
    with account_process(surroundings, log):
        await _ready(surroundings)
        await _send(bank, broker_url, broker_namespace, events)
        # Killed somewhere in the middle, with frames in hand, in the outbox and unconfirmed.
        await eventually(lambda: len(answers.outcomes) > 0)
    assert len(answers.outcomes) < PAYMENTS, "the kill came too late to matter"
    await _send(bank, broker_url, broker_namespace, events[::7])
    with account_process(surroundings, log) as process:
        await eventually(lambda: len(answers.outcomes) == PAYMENTS, timeout_s=30)
        await _ready(surroundings)
        sent: bool = await eventually(nothing_unsent)
        assert sent
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
    assert {len(ids) for ids in answers.event_ids.values()} == {1}
    assert Counter(answers.outcomes.values()) == {"completed": PAYMENTS - 100, "insufficient_funds": 100}
    assert await bank.balance(payer) == 0
    assert sum([await bank.balance(payee) for payee in payees]) == PAYMENTS - 100
    assert not await bank.rows("SELECT 1 FROM parked")
    await bank.assert_books_balance()


async def _ready(surroundings: Surroundings) -> None:
    internal = f"http://127.0.0.1:{surroundings.ports.internal('account')}"

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
        assert "florin_postings_total" in metrics
        api = await http.get(f"http://127.0.0.1:{surroundings.ports.api('account')}/v1/accounts")
        assert api.status_code == 401
