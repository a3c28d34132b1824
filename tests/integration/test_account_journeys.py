"""What an account's state, overdraft and currency let through, seen from outside."""

import asyncio
from uuid import uuid4

import pytest

from .conftest import Bank


@pytest.mark.parametrize(
    ("state", "pays", "is_paid"),
    [
        ("FROZEN", "debtor_frozen", "creditor_frozen"),
        ("DEBIT_FROZEN", "debtor_frozen", None),
        ("CREDIT_FROZEN", None, "creditor_frozen"),
    ],
)
async def test_a_frozen_account_refuses_by_its_code_until_it_is_active_again(
    bank: Bank, state: str, pays: str | None, is_paid: str | None
) -> None:
    """Freeze, then pay; unfreeze, then pay."""
    account, other = await bank.open(balance_minor=1_000), await bank.open(balance_minor=1_000)
    assert (await bank.set_state(account, state)).status_code == 200
    out, into = await bank.pay(account, other, 100), await bank.pay(other, account, 100)
    assert (out["reason"], into["reason"]) == (pays, is_paid)
    assert [one["status"] for one in (out, into)] == [
        "SETTLED" if code is None else "REJECTED" for code in (pays, is_paid)
    ]
    assert (await bank.set_state(account, "ACTIVE")).status_code == 200
    assert (await bank.pay(account, other, 100))["status"] == "SETTLED"


async def test_an_account_with_money_or_a_hold_on_it_is_not_closed(bank: Bank) -> None:
    """It is closed once both are gone, and then for ever."""
    account, other = await bank.open(balance_minor=1), await bank.open(balance_minor=0)
    refused = await bank.set_state(account, "CLOSED")
    assert (refused.status_code, refused.json()["code"]) == (409, "account_not_empty")
    held = await bank.authorise(account, other, 1)
    assert (await bank.set_state(account, "CLOSED")).json()["code"] == "account_not_empty"
    assert (await bank.ask(held["id"], "captures")).json()["status"] == "SETTLED"
    assert (await bank.set_state(account, "CLOSED")).status_code == 200
    reopened = await bank.set_state(account, "ACTIVE")
    assert (reopened.status_code, reopened.json()["code"]) == (409, "illegal_state_change")
    assert (await bank.pay(other, account, 1))["reason"] == "creditor_closed"


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
async def test_the_overdraft_is_used_to_the_last_minor_unit_and_no_further(bank: Bank, currency: str) -> None:
    """Whatever the currency's decimals; what is held counts like what is paid."""
    payer = await bank.open(balance_minor=1_000, overdraft_minor=500, currency=currency)
    payee = await bank.open(currency=currency)
    held = await bank.pay(payer, payee, 700, currency=currency, capture="manual")
    assert held["status"] == "APPROVED"
    too_much = await bank.pay(payer, payee, 801, currency=currency)
    assert (too_much["status"], too_much["reason"]) == ("REJECTED", "insufficient_funds")
    assert (await bank.pay(payer, payee, 800, currency=currency))["status"] == "SETTLED"
    assert await bank.figures(payer) == (200, 700, 0)
    assert (await bank.pay(payer, payee, 1, currency=currency))["reason"] == "insufficient_funds"
    assert await bank.figures(payee) == (800, 0, 800)


async def test_an_overdraft_is_not_taken_back_from_under_what_uses_it(bank: Bank) -> None:
    """Neither from a debt nor from a hold; raised, it lets through what it refused."""
    payer, payee = await bank.open(balance_minor=100, overdraft_minor=50), await bank.open()
    await bank.authorise(payer, payee, 150)
    body = {"overdraft_minor": 49, "reason": "less trust"}
    refused = await bank.account.put(f"/v1/accounts/{payer}/overdraft", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "overdraft_in_use")
    assert (await bank.pay(payer, payee, 1))["reason"] == "insufficient_funds"
    raised = await bank.account.put(
        f"/v1/accounts/{payer}/overdraft", json={"overdraft_minor": 51, "reason": "more trust"}
    )
    assert raised.status_code == 200, raised.text
    assert (await bank.pay(payer, payee, 1))["status"] == "SETTLED"


async def test_money_comes_in_for_everybody_and_goes_out_by_those_alone_who_may(bank: Bank) -> None:
    """Deposit; withdraw without the scope, and with it."""
    account = await bank.open()
    paths = {kind: f"/v1/accounts/{account}/{kind}" for kind in ("deposits", "withdrawals")}
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"amount_minor": 900, "currency": "EUR"}
    assert (await bank.account.post(paths["deposits"], json=body, headers=headers)).status_code == 201
    headers = {"Idempotency-Key": uuid4().hex}
    refused = await bank.account.post(paths["withdrawals"], json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await bank.balance(account) == 900
    paid_out = await bank.office.post(paths["withdrawals"], json=body, headers=headers)
    assert paid_out.status_code == 201, paid_out.text
    assert await bank.balance(account) == 0
    again = await bank.office.post(
        paths["withdrawals"], json=body | {"amount_minor": 1}, headers={"Idempotency-Key": uuid4().hex}
    )
    assert again.json()["code"] == "insufficient_funds"


async def test_twenty_reversals_at_once_never_give_back_more_than_was_paid(bank: Bank) -> None:
    """Each asks for a fifth: five of twenty pass."""
    payer, payee = await bank.open(balance_minor=1_000), await bank.open(balance_minor=5_000)
    made = await bank.pay(payer, payee, 500)
    answers = await asyncio.gather(*(bank.ask(made["id"], "reversals", amount_minor=100) for _ in range(20)))
    settled = [one for one in answers if one.is_success and one.json()["status"] == "SETTLED"]
    assert len(settled) == 5
    assert {one.json()["code"] for one in answers if not one.is_success} == {"exceeds_original"}
    assert (await bank.balance(payer), await bank.balance(payee)) == (1_000, 5_000)
