"""The whole process on a real broker: killed at any instant, it answers every payment exactly once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contracts.messages import PaymentInitiated
from florin.environment import Surroundings
from messaging.event import Event
from messaging.signing import KeyRing
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase
from testkit.killing import Answers, kill_in_the_middle

PAYMENTS = 2_000


@pytest.fixture
def surroundings(
    databases: Databases, backing: Backing, fraud_database: ServiceDatabase, broker_namespace: str
) -> Surroundings:
    return databases.surroundings(fraud_database.name, ports=backing.ports, namespace=broker_namespace)


async def test_killed_and_started_again_it_answers_every_payment_once(
    fraud: Any,
    surroundings: Surroundings,
    keyring: KeyRing,
    tmp_path: Path,
    make_payment: Callable[..., Event[PaymentInitiated]],
) -> None:
    async def nothing_unsent() -> bool:
        return not await fraud.rows("SELECT 1 FROM outbox_unsent LIMIT 1")

    events = [make_payment(amount_minor=1_000_000 if n % 10 == 0 else 1) for n in range(PAYMENTS)]
    answers = Answers(keyring, lambda data: str(data.decision))
    await kill_in_the_middle(
        "fraud",
        surroundings,
        frames=[fraud.frame(events[n : n + 50]) for n in range(0, PAYMENTS, 50)],
        answers=answers,
        expected=PAYMENTS,
        nothing_unsent=nothing_unsent,
        log=tmp_path / "fraud.log",
    )
    assert {len(ids) for ids in answers.event_ids.values()} == {1}
    assert Counter(answers.outcomes.values()) == {"approve": 1_800, "review": 200}
    kept = await fraud.rows("SELECT count(*) AS n FROM decisions")
    assert kept[0].n == PAYMENTS
    assert await fraud.parked() == {}
