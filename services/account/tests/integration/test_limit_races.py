"""Payments, holds and changes of limits side by side: no race passes a limit."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from account_service.domain.outcome import Completed, Ended, Held, Outcome
from account_service.domain.posting import Request
from account_service.persistence.accounts import lock_accounts
from testkit.waiting import eventually

from .bank import Bank, capture, hold, transfer, void
from .limited import (
    LATER,
    NOON,
    assert_counted_as_the_ledger_says,
    limit,
    limit_all,
    used,
    word,
    words,
)

CONNECTIONS = 18


async def all_at_once(bank: Bank, asked: Sequence[Request]) -> list[Outcome]:
    """Each in a transaction of its own, as many at a time as there are connections."""
    gate = asyncio.Semaphore(CONNECTIONS)

    async def through(one: Request) -> Outcome:
        async with gate:
            [outcome] = await bank.post(one)
            return outcome

    return await asyncio.gather(*map(through, asked))


@pytest.mark.parametrize("scope", ["account", "client"])
async def test_of_fifty_payments_at_once_exactly_as_many_pass_as_fit(bank: Bank, scope: str) -> None:
    """Each in a transaction of its own, among fifty others that pay the account or are not limited."""
    currency = "ISK" if scope == "client" else "CZK"
    payer = await bank.open(balance=1_000, currency=currency)
    others = [await bank.open(balance=1_000, currency=currency) for _ in range(2)]
    if scope == "client":
        await limit_all(bank, currency, daily_sum_minor=17, daily_count=1_000)
    else:
        await limit(bank, payer, daily_sum_minor=17, daily_count=1_000)
    bank.clock.at = NOON
    facts = {"currency": currency}
    ours = [transfer(payer, others[n % 2], 1, **facts) for n in range(50)]
    # In reverse too, so that locks are asked for from both sides.
    theirs = [transfer(others[n % 2], payer, 1, **facts) for n in range(50)]
    asked = [one for pair in zip(ours, theirs, strict=True) for one in pair]
    outcomes = await all_at_once(bank, asked)
    passed = [word(outcome) for outcome in outcomes[::2]]
    assert passed.count("completed") == 17
    assert passed.count("daily_sum") == 33
    assert (await used(bank, payer))["daily_sum"] == 17
    await assert_counted_as_the_ledger_says(bank, payer)
    if scope == "account":
        assert all(isinstance(outcome, Completed) for outcome in outcomes[1::2])
    else:
        await limit_all(bank, currency)
    await bank.assert_books_balance()


async def test_who_waited_for_the_account_since_before_its_limit_was_set_is_held_to_it(bank: Bank) -> None:
    """Its statement cannot see the limit; it sees, under the lock, that usage is kept by now."""
    facts = {"currency": "NZD"}
    first = await bank.open(currency="NZD")
    payer, payee = await bank.open(balance=1_000, currency="NZD"), await bank.open(currency="NZD")
    bank.clock.at = NOON

    async def waits() -> bool:
        return bool(await bank.rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    async with bank.database.transaction() as connection:
        await lock_accounts(connection, [("bank", first)])
        waiting = asyncio.create_task(bank.post(transfer(payer, first, 60, **facts)))
        await eventually(waits)
        await limit_all(bank, "NZD", daily_sum_minor=100)
        assert await words(bank, transfer(payer, payee, 60, **facts)) == ["completed"]
    [outcome] = await waiting
    assert word(outcome) == "daily_sum"
    assert await used(bank, payer) == {"daily_sum": 60}
    await assert_counted_as_the_ledger_says(bank, payer)
    await limit_all(bank, "NZD")


async def test_holds_voids_and_payments_at_once_never_pass_the_limit(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, daily_count=60)
    placed = [hold(payer, payee, 10, expires_at=LATER) for _ in range(10)]
    assert await words(bank, *placed) == ["held"] * 10
    asked: list[Any] = []
    for n in range(50):
        asked += [transfer(payer, payee, 3), void(placed[n % 10]) if n % 2 else capture(placed[n % 10], 5)]
    outcomes = await all_at_once(bank, asked)
    assert sum(isinstance(outcome, Held | Ended | Completed) for outcome in outcomes) >= 10
    told = await used(bank, payer)
    assert told["daily_sum"] <= 100
    left = 10_000 - (await bank.figures(payer))[0]
    assert told["daily_sum"] == left
    await assert_counted_as_the_ledger_says(bank, payer)


async def test_a_limit_set_while_payments_run_is_counted_from_the_ledger(bank: Bank) -> None:
    """Whoever waited for the account since before the limit was set is counted too."""
    payer, payee = await bank.open(balance=1_000, currency="DKK"), await bank.open(currency="DKK")
    bank.clock.at = NOON
    asked = [transfer(payer, payee, 1, currency="DKK") for _ in range(60)]

    async def change() -> None:
        for most in (40, 30, 20):
            await limit_all(bank, "DKK", daily_sum_minor=most)

    await asyncio.gather(all_at_once(bank, asked), change())
    left = 1_000 - await bank.balance(payer)
    assert await used(bank, payer) == {"daily_sum": left}
    await assert_counted_as_the_ledger_says(bank, payer)
    if left >= 20:
        assert await words(bank, transfer(payer, payee, 1, currency="DKK")) == ["daily_sum"]
    await limit_all(bank, "DKK")
