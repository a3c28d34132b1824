"""A dry run through the real services: what it says is what then happens, and it changes nothing."""

from typing import Any

import pytest

from .conftest import Bank


async def attempt(bank: Bank, debtor: str, creditor: str, amount_minor: int, **fields: Any) -> dict[str, Any]:
    """What would become of a payment."""
    body = {"debtor": debtor, "creditor": creditor, "amount_minor": amount_minor, "currency": "EUR"}
    answer = await bank.transaction.post("/v1/payments", params={"dry_run": "true"}, json=body | fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["unknown"] == []
    return told


@pytest.mark.parametrize(
    ("fields", "amount_minor"),
    [
        ({}, 400),
        ({}, 501),
        ({"capture": "manual"}, 400),
        ({"if_available_at_least_minor": 501}, 400),
        ({"if_available_at_least_minor": 500}, 400),
        ({"creditor": "NOBODY"}, 1),
    ],
)
async def test_what_is_foretold_happens(bank: Bank, fields: dict[str, Any], amount_minor: int) -> None:
    """Outcome, code, field and figures are those of the payment that is then made."""
    payer, payee = await bank.open(balance_minor=500), await bank.open()
    parties = {"debtor": payer, "creditor": payee} | fields
    told = await attempt(bank, parties.pop("debtor"), parties.pop("creditor"), amount_minor, **parties)
    assert (await bank.balance(payer), await bank.balance(payee)) == (500, 0)
    made = await bank.pay(payer, fields.get("creditor", payee), amount_minor, **parties)
    assert told["outcome"] == made["status"]
    assert told["codes"] == ([] if made["reason"] is None else [made["reason"]])
    refusal = (await bank.payment(made["id"]))["refusal"]
    if refusal is not None:
        assert (told["ledger"]["field"], told["ledger"]["figures"]) == (refusal["field"], refusal["figures"])
    after = (await bank.account.get(f"/v1/accounts/{payer}/balance")).json()
    foretold = told["ledger"]["balance_after"]
    if made["status"] != "REJECTED":
        names = ("posted_minor", "held_minor", "available_minor")
        assert {name: foretold[name] for name in names} == {name: after[name] for name in names}


async def test_what_a_person_would_have_to_decide_is_told(bank: Bank) -> None:
    """REVIEW, with screening's reasons, where the ledger would take it."""
    rich, shop = await bank.open(balance_minor=90_000_000), await bank.open()
    told = await attempt(bank, rich, shop, 2_000_000)
    assert (told["outcome"], told["screening"]["decision"]) == ("REVIEW", "review")
    assert told["screening"]["reasons"]
    assert told["ledger"]["outcome"] == "completed"
