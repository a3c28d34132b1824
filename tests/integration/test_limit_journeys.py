"""A limit refuses by its figures, counts what is held, and gives back what is given up."""

import asyncio
from typing import Any

from .conftest import Bank


async def limit(bank: Bank, account: str, **figures: int) -> None:
    """Set an account's limits."""
    body = {"reason": "the journey needs it", **figures}
    answer = await bank.office.put(f"/v1/accounts/{account}/limits", json=body)
    assert answer.status_code == 200, answer.text


async def refusal_of(bank: Bank, payment: Any) -> dict[str, Any]:
    """Why the ledger refused."""
    found: dict[str, Any] = (await bank.payment(payment["id"]))["refusal"]
    return found


async def test_only_those_who_may_set_limits(bank: Bank) -> None:
    """The everyday key is refused."""
    body = {"daily_sum_minor": 1, "reason": "mine"}
    refused = await bank.account.put(f"/v1/accounts/{await bank.open()}/limits", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_a_refusal_names_limit_used_and_asked_and_a_void_gives_back(bank: Bank) -> None:
    """Held money counts at once; voided it does not."""
    payer, payee = await bank.open(balance_minor=10_000), await bank.open()
    await limit(bank, payer, daily_sum_minor=1_000)
    held = await bank.authorise(payer, payee, 700)
    refused = await bank.pay(payer, payee, 301)
    assert (refused["status"], refused["reason"]) == ("REJECTED", "limit_exceeded")
    figures = (await refusal_of(bank, refused))["figures"]
    assert {1_000, 700, 301} <= set(figures.values())
    assert (await bank.pay(payer, payee, 300))["status"] == "SETTLED"
    assert (await bank.ask(held["id"], "void", reason="not wanted")).json()["status"] == "VOIDED"
    assert (await bank.pay(payer, payee, 701))["reason"] == "limit_exceeded"
    assert (await bank.pay(payer, payee, 700))["status"] == "SETTLED"


async def test_of_fifty_payments_at_once_as_many_pass_as_a_day_allows(bank: Bank) -> None:
    """Exactly as many as fit, whatever the race."""
    payer, payee = await bank.open(balance_minor=100_000), await bank.open()
    await limit(bank, payer, daily_sum_minor=1_290)
    made = await asyncio.gather(*(bank.pay(payer, payee, 100) for _ in range(50)))
    assert [one["status"] for one in made].count("SETTLED") == 12
    assert {one["reason"] for one in made if one["status"] == "REJECTED"} == {"limit_exceeded"}
    assert await bank.balance(payee) == 1_200
