"""The way of a payment through all services: pay, refuse, review, reverse."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from testkit.waiting import eventually

from .conftest import Bank


async def test_a_payment_moves_money_and_tells_its_life(bank: Bank) -> None:
    """PENDING, APPROVED, SETTLED; both balances moved by the same amount; the entries say so."""
    alice, bob = await bank.open(balance_minor=10_000), await bank.open()
    made = await bank.pay(alice, bob, 2_500, reference="rent")
    assert made["status"] == "SETTLED"
    assert (await bank.balance(alice), await bank.balance(bob)) == (7_500, 2_500)
    life = (await bank.payment(made["id"]))["lifecycle"]
    assert [step["status"] for step in life] == ["PENDING", "APPROVED", "SETTLED"]
    entries = (await bank.account.get(f"/v1/accounts/{bob}/entries")).json()["items"]
    assert (entries[0]["amount_minor"], entries[0]["balance_after_minor"]) == (2_500, 2_500)


async def test_a_payment_back_restores_what_was(bank: Bank) -> None:
    """A full reversal is a payment of its own, and the money is where it was."""
    alice, bob = await bank.open(balance_minor=1_000), await bank.open()
    made = await bank.pay(alice, bob, 400)
    answer = await bank.transaction.post(
        f"/v1/payments/{made['id']}/reversals",
        json={},
        headers={"Idempotency-Key": uuid4().hex, "Prefer": "wait=30"},
    )
    assert answer.json()["status"] == "SETTLED"
    assert (await bank.balance(alice), await bank.balance(bob)) == (1_000, 0)
    assert (await bank.payment(made["id"]))["reversals"] == [answer.json()["id"]]


@pytest.mark.parametrize(
    ("currency", "amount_minor"), [("JPY", 1_250), ("USD", 1_250), ("KWD", 1_250), ("CZK", 1)]
)
async def test_every_exponent_moves_exactly(bank: Bank, currency: str, amount_minor: int) -> None:
    """Minor units are minor units: nothing is scaled on the way."""
    payer = await bank.open(balance_minor=5_000, currency=currency)
    payee = await bank.open(currency=currency)
    assert (await bank.pay(payer, payee, amount_minor, currency=currency))["status"] == "SETTLED"
    assert (await bank.balance(payer), await bank.balance(payee)) == (5_000 - amount_minor, amount_minor)


async def _missing_payer(bank: Bank) -> dict[str, Any]:
    return {"debtor": "NOBODY", "creditor": await bank.open()}


async def _missing_payee(bank: Bank) -> dict[str, Any]:
    return {"debtor": await bank.open(balance_minor=100), "creditor": "NOBODY"}


async def _poor_payer(bank: Bank) -> dict[str, Any]:
    return {"debtor": await bank.open(balance_minor=99), "creditor": await bank.open()}


async def _other_currency(bank: Bank) -> dict[str, Any]:
    return {"debtor": await bank.open(balance_minor=100), "creditor": await bank.open(currency="USD")}


async def _frozen_payer(bank: Bank) -> dict[str, Any]:
    payer = await bank.open(balance_minor=100)
    await bank.set_state(payer, "FROZEN")
    return {"debtor": payer, "creditor": await bank.open()}


async def _closed_payee(bank: Bank) -> dict[str, Any]:
    payee = await bank.open()
    await bank.set_state(payee, "CLOSED")
    return {"debtor": await bank.open(balance_minor=100), "creditor": payee}


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (_missing_payer, "debtor_not_found"),
        (_missing_payee, "creditor_not_found"),
        (_poor_payer, "insufficient_funds"),
        (_other_currency, "currency_mismatch"),
        (_frozen_payer, "debtor_frozen"),
        (_closed_payee, "creditor_closed"),
    ],
)
async def test_a_refusal_names_its_rule_and_moves_nothing(bank: Bank, prepare: Any, reason: str) -> None:
    """REJECTED with the ledger's code; the balances as they were."""
    parties = await prepare(bank)
    made = await bank.pay(parties["debtor"], parties["creditor"], 100)
    assert (made["status"], made["reason"]) == ("REJECTED", reason)
    for account in parties.values():
        if account != "NOBODY":
            assert await bank.balance(account) in (0, 99, 100)


async def test_a_suspicious_payment_waits_for_a_person(bank: Bank) -> None:
    """REVIEW; approved it settles, declined it is rejected; each decision counts once."""
    rich, shop = await bank.open(balance_minor=90_000_000), await bank.open()
    outcomes = {}
    for decision in ("approve", "decline"):
        answer = await bank.transaction.post(
            "/v1/payments",
            json={"debtor": rich, "creditor": shop, "amount_minor": 2_000_000, "currency": "EUR"},
            headers={"Idempotency-Key": uuid4().hex},
        )
        payment_id = answer.json()["id"]
        await eventually(partial(_in_state, bank, payment_id, "REVIEW"))
        decided = await bank.fraud.post(
            f"/v1/reviews/{payment_id}/decision",
            json={"decision": decision, "reason": "looked at it"},
            headers={"Idempotency-Key": uuid4().hex},
        )
        assert decided.status_code == 200, decided.text
        done = await bank.transaction.get(f"/v1/payments/{payment_id}", headers={"Prefer": "wait=30"})
        outcomes[decision] = (done.json()["status"], done.json()["reason"])
    assert outcomes == {"approve": ("SETTLED", None), "decline": ("REJECTED", "review_declined")}
    assert await bank.balance(shop) == 2_000_000


async def _in_state(bank: Bank, payment_id: str, state: str) -> bool:
    return bool((await bank.payment(payment_id))["status"] == state)


async def test_five_hundred_debits_of_one_on_a_balance_of_a_hundred(bank: Bank) -> None:
    """Exactly 100 settle and 400 are refused for want of funds, whatever the race."""
    payer, payee = await bank.open(balance_minor=100), await bank.open()
    states = await bank.pay_many(*[(payer, payee, 1)] * 500)
    assert (states.count("SETTLED"), states.count("REJECTED")) == (100, 400)
    assert (await bank.balance(payer), await bank.balance(payee)) == (0, 100)


async def test_opposite_payments_never_stand_in_each_others_way(bank: Bank) -> None:
    """A to B against B to A, 64 at a time: all settle, and nothing is lost between them."""
    alice, bob = await bank.open(balance_minor=10_000), await bank.open(balance_minor=10_000)
    orders = [(alice, bob, 3), (bob, alice, 2)] * 64
    assert set(await bank.pay_many(*orders)) == {"SETTLED"}
    assert await bank.balance(alice) == 10_000 - 64
    assert await bank.balance(bob) == 10_000 + 64


async def test_two_hundred_requests_with_one_key_move_money_once(bank: Bank) -> None:
    """From the first request to the last balance."""
    payer, payee = await bank.open(balance_minor=1_000), await bank.open()
    key = uuid4().hex
    made = await asyncio.gather(*(bank.pay(payer, payee, 7, key=key) for _ in range(200)))
    assert {one["status"] for one in made} == {"SETTLED"}
    assert len({one["id"] for one in made}) == 1
    assert await bank.balance(payee) == 7
