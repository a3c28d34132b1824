"""The whole process on a real broker: killed at any instant, it moves each payment's money exactly once."""

from collections import Counter
from pathlib import Path

import pytest
from contracts.messages import PostingCompleted, PostingDeclined
from florin.environment import Surroundings
from messaging.signing import KeyRing
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase
from testkit.killing import Answers, kill_in_the_middle

from .bank import Bank, requested, transfer

PAYMENTS = 2_000


@pytest.fixture
def surroundings(
    databases: Databases, backing: Backing, account_database: ServiceDatabase, broker_namespace: str
) -> Surroundings:
    return databases.surroundings(account_database.name, ports=backing.ports, namespace=broker_namespace)


def _outcome(data: PostingCompleted | PostingDeclined) -> str:
    return data.code if isinstance(data, PostingDeclined) else "completed"


async def test_killed_and_started_again_it_moves_each_payment_once(
    bank: Bank, surroundings: Surroundings, keyring: KeyRing, tmp_path: Path
) -> None:
    payees = [await bank.open() for _ in range(10)]
    # The payer can pay all but the last hundred.
    payer = await bank.open(balance=PAYMENTS - 100)
    events = [requested(transfer(payer, payees[n % 10])) for n in range(PAYMENTS)]
    answers = Answers(keyring, _outcome)

    async def nothing_unsent() -> bool:
        return not await bank.rows("SELECT 1 FROM outbox_unsent LIMIT 1")

    await kill_in_the_middle(
        "account",
        surroundings,
        frames=[bank.frame(events[n : n + 25]) for n in range(0, PAYMENTS, 25)],
        answers=answers,
        expected=PAYMENTS,
        nothing_unsent=nothing_unsent,
        log=tmp_path / "account.log",
    )
    assert {len(ids) for ids in answers.event_ids.values()} == {1}
    assert Counter(answers.outcomes.values()) == {"completed": PAYMENTS - 100, "insufficient_funds": 100}
    assert await bank.balance(payer) == 0
    assert sum([await bank.balance(payee) for payee in payees]) == PAYMENTS - 100
    assert not await bank.rows("SELECT 1 FROM parked")
    await bank.assert_books_balance()
