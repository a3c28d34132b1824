"""The payee has spent it: what then becomes of reversals, of the debt, and of what goes out of the books."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from florin.verification.report import verify
from testkit.stacks import RunningServices

from .conftest import Bank

RECEIVABLE = "system:receivable:EUR"


async def set_policy(bank: Bank, policy: str) -> None:
    """Say what becomes of reversals from now on."""
    answer = await bank.office.put("/v1/reversal-policy", json={"policy": policy, "reason": "new terms"})
    assert answer.status_code == 200, answer.text


async def move(bank: Bank, account: str, what: str, **body: Any) -> Any:
    """Withdraw or collect, as the office may; returns the answer."""
    headers = {"Idempotency-Key": uuid4().hex}
    return await bank.office.post(f"/v1/accounts/{account}/{what}", json=body, headers=headers)


@pytest.fixture(autouse=True)
async def policy_as_it_was(bank: Bank) -> AsyncIterator[None]:
    """Other modules run against the same services."""
    yield
    await set_policy(bank, "refuse")


async def test_what_a_payee_has_spent_is_refused_or_lent_and_then_paid_back(
    bank: Bank, running: RunningServices
) -> None:
    """By policy; whoever is lent to owes it, to the last minor unit, and the books hold all the while."""
    payer, payee, shop = [await bank.open(balance_minor=minor) for minor in (1_000, 0, 0)]
    made = await bank.pay(payer, payee, 500)
    assert (await bank.pay(payee, shop, 350))["status"] == "SETTLED"
    await set_policy(bank, "refuse")
    refused = (await bank.ask(made["id"], "reversals")).json()
    assert (refused["status"], refused["reason"]) == ("REJECTED", "payee_has_spent_it")
    assert (await bank.balance(payer), await bank.balance(payee)) == (500, 150)
    await set_policy(bank, "receivable")
    given_back = (await bank.ask(made["id"], "reversals")).json()
    assert (given_back["status"], given_back["amount_minor"]) == ("SETTLED", 500)
    assert (await bank.balance(payer), await bank.balance(payee)) == (1_000, 0)
    assert await bank.balance(RECEIVABLE) == -350
    again = await bank.ask(made["id"], "reversals", amount_minor=1)
    assert again.json()["code"] == "exceeds_original"
    assert (await bank.pay(shop, payee, 350))["status"] == "SETTLED"
    too_much = await move(bank, payee, "receivable-collections", amount_minor=351, reason="agreed")
    assert too_much.json()["figures"] == {"asked": 351, "owed_minor": 350}
    collected = await move(bank, payee, "receivable-collections", amount_minor=350, reason="agreed")
    assert (collected.status_code, collected.json()["owed_after_minor"]) == (201, 0)
    assert (await bank.balance(payee), await bank.balance(RECEIVABLE)) == (0, 0)
    report = await verify(running.surroundings)
    assert report.ok, [result for result in report.results if result.finding.ok is False]


async def test_money_is_withdrawn_and_collected_by_those_alone_who_may(
    bank: Bank, running: RunningServices
) -> None:
    """A withdrawal or collection without its scope is 403 and moves nothing; with it, the money has moved."""
    account = await bank.open(balance_minor=900)
    bodies = {
        "withdrawals": {"amount_minor": 400, "currency": "EUR"},
        "receivable-collections": {"amount_minor": 400, "reason": "agreed"},
    }
    for what, body in bodies.items():
        headers = {"Idempotency-Key": uuid4().hex}
        refused = await bank.account.post(f"/v1/accounts/{account}/{what}", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await bank.balance(account) == 900
    before = await bank.balance("system:settlement:EUR") if await _open(bank, "system:settlement:EUR") else 0
    paid_out = await move(bank, account, "withdrawals", **bodies["withdrawals"])
    assert (paid_out.status_code, paid_out.json()["balance_after_minor"]) == (201, 500)
    assert await bank.balance("system:settlement:EUR") == before + 400
    report = await verify(running.surroundings)
    assert report.ok, [result for result in report.results if result.finding.ok is False]


async def _open(bank: Bank, account: str) -> bool:
    """Whether there is such an account yet: system accounts open when they are first needed."""
    return (await bank.account.get(f"/v1/accounts/{account}")).status_code == 200
