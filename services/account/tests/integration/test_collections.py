"""A payee who had spent it pays back what a receivable account paid in its place."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from account_service.domain.outcome import Completed
from account_service.domain.posting import PostingKind
from sqlalchemy.exc import DBAPIError

from .bank import Bank, name, transfer

RECEIVABLE = "system:receivable:CZK"


async def owing(bank: Bank, owed_minor: int, *, balance: int = 0, **given: Any) -> str:
    """An account that owes so much for a reversal, and has so much."""
    policy = {"policy": "receivable", "reason": "Terms of 2027"}
    await bank.send("PUT", "/v1/reversal-policy", policy, key=None, caller="cashier")
    account, payer = await bank.open(**given), await bank.open()
    await reverse(bank, account, payer, owed_minor)
    if balance:
        body = {"amount_minor": balance, "currency": "CZK"}
        assert (await bank.send("POST", f"/v1/accounts/{account}/deposits", body)).status_code == 201
    return account


async def reverse(bank: Bank, payee: str, payer: str, amount_minor: int) -> None:
    request = transfer(payee, payer, amount_minor, kind=PostingKind.REVERSAL, reverses=uuid4())
    [outcome] = await bank.post(request)
    assert isinstance(outcome, Completed)


async def collect(bank: Bank, account: str, amount_minor: int = 5, **given: Any) -> Any:
    key, caller = given.pop("key", ""), given.pop("caller", "cashier")
    body = {"amount_minor": amount_minor, "reason": "Agreed by telephone"} | given
    path = f"/v1/accounts/{account}/receivable-collections"
    return await bank.send("POST", path, body, key=key, caller=caller)


async def test_a_debt_is_paid_back_in_parts_to_the_last_unit_and_no_further(bank: Bank) -> None:
    account = await owing(bank, 100, balance=300)
    before = await bank.balance(RECEIVABLE)
    answer = await collect(bank, account, 60)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "posting_id": answer.json()["posting_id"],
        "account": account,
        "receivable_account": RECEIVABLE,
        "amount_minor": 60,
        "currency": "CZK",
        "balance_after_minor": 240,
        "owed_after_minor": 40,
        "reason": "Agreed by telephone",
        "posted_at": answer.json()["posted_at"],
    }
    assert await bank.balance(RECEIVABLE) == before + 60
    refused = await collect(bank, account, 41)
    assert (refused.status_code, refused.json()["code"]) == (422, "collection_exceeds_debt")
    assert refused.json()["figures"] == {"asked": 41, "owed_minor": 40}
    assert [fault["field"] for fault in refused.json()["errors"]] == ["amount_minor"]
    assert (await collect(bank, account, 40)).json()["owed_after_minor"] == 0
    assert (await collect(bank, account, 1)).json()["figures"] == {"asked": 1, "owed_minor": 0}
    assert await bank.balance(account) == 200
    entries = (await bank.send("GET", f"/v1/accounts/{account}/entries", key=None)).json()["items"]
    told = [
        (one["kind"], one["amount_minor"], one["counterparty"], one["description"]) for one in entries[:2]
    ]
    assert told == [("collection", minor, RECEIVABLE, "Agreed by telephone") for minor in (-40, -60)]
    await bank.assert_books_balance()


async def test_each_pays_its_own_debt_alone(bank: Bank) -> None:
    account, other = await owing(bank, 100, balance=50), await owing(bank, 7, balance=50)
    assert (await collect(bank, other, 8)).json()["figures"]["owed_minor"] == 7
    assert (await collect(bank, other, 7)).status_code == 201
    payer = await bank.open()
    await reverse(bank, account, payer, 60)
    assert (await collect(bank, account, 1)).json()["code"] == "insufficient_funds"
    assert (await collect(bank, account, 111)).json()["figures"]["owed_minor"] == 110


async def test_no_more_is_collected_than_is_available(bank: Bank) -> None:
    account = await owing(bank, 100, balance=30, overdraft_minor=0)
    refused = await collect(bank, account, 31)
    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_funds")
    assert await bank.balance(account) == 30
    assert (await collect(bank, account, 30)).status_code == 201
    assert await bank.balance(account) == 0


async def test_a_collection_under_one_key_is_made_once(bank: Bank) -> None:
    account, key = await owing(bank, 100, balance=100), name("collection")
    answers = await asyncio.gather(*(collect(bank, account, 25, key=key) for _ in range(8)))
    assert sorted(one.status_code for one in answers) == [200] * 7 + [201]
    assert len({one.text for one in answers}) == 1
    assert {one.headers.get("idempotency-replayed") for one in answers} == {None, "true"}
    assert await bank.balance(account) == 75
    other = await collect(bank, account, 25, key=key, reason="Another one")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "reason")
    body = {"amount_minor": 25, "currency": "CZK"}
    path = f"/v1/accounts/{account}/withdrawals"
    reused = await bank.send("POST", path, body, key=key, caller="cashier")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_collections_at_once_never_pass_the_debt(bank: Bank) -> None:
    account = await owing(bank, 50, balance=500)
    answers = await asyncio.gather(*(collect(bank, account, 10) for _ in range(20)))
    assert sorted(one.status_code for one in answers) == [201] * 5 + [422] * 15
    assert await bank.balance(account) == 450
    await bank.assert_books_balance()


async def test_the_database_bounds_what_is_collected_by_what_is_owed(bank: Bank) -> None:
    account = await owing(bank, 50, balance=500)

    def collection(amount_minor: int) -> Any:
        facts = {"kind": PostingKind.COLLECTION, "payment_id": None}
        return transfer(account, RECEIVABLE, amount_minor, **facts)

    await bank.post(collection(50))
    with pytest.raises(DBAPIError, match="collects 1 more from account"):
        await bank.post(collection(1))
    assert await bank.balance(account) == 450


async def test_a_frozen_account_pays_nothing_back_until_it_is_lifted(bank: Bank) -> None:
    account = await owing(bank, 10, balance=10)
    await bank.set_state(account, "FROZEN")
    refused = await collect(bank, account, key="frozen-collection")
    assert (refused.status_code, refused.json()["code"]) == (409, "account_frozen")
    await bank.set_state(account, "ACTIVE")
    assert (await collect(bank, account, key="frozen-collection")).status_code == 201


async def test_what_is_paid_back_does_not_count_against_limits(bank: Bank) -> None:
    account = await owing(bank, 100, balance=100)
    body = {"daily_sum_minor": 30, "reason": "New customer"}
    answer = await bank.send("PUT", f"/v1/accounts/{account}/limits", body, key=None)
    assert answer.status_code == 200, answer.text
    assert (await collect(bank, account, 40)).status_code == 201
    limits = (await bank.send("GET", f"/v1/accounts/{account}/limits", key=None)).text
    assert '"used":0' in limits.replace(" ", ""), limits


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"caller": "bank"}, 403, "forbidden"),
        ({"caller": "reader"}, 403, "forbidden"),
        ({"caller": "nobody"}, 401, "unauthenticated"),
        ({"key": None}, 400, "idempotency_key_missing"),
        ({"amount_minor": 0}, 422, "invalid_request"),
        ({"amount_minor": -1}, 422, "invalid_request"),
        ({"amount_minor": "5"}, 422, "invalid_request"),
        ({"amount_minor": 1.5}, 422, "invalid_request"),
        ({"amount_minor": 2**53}, 422, "invalid_request"),
        ({"reason": ""}, 422, "invalid_request"),
        ({"reason": "x" * 281}, 422, "invalid_request"),
        ({"reason": "two\nlines"}, 422, "invalid_request"),
        ({"reason": None}, 422, "invalid_request"),
        ({"currency": "CZK"}, 422, "invalid_request"),
    ],
)
async def test_a_bad_collection_moves_nothing(
    bank: Bank, given: dict[str, Any], status: int, code: str
) -> None:
    account = await owing(bank, 10, balance=10)
    answer = await collect(bank, account, **({"amount_minor": 5} | given))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await bank.balance(account) == 10


async def test_nothing_is_collected_of_accounts_that_are_not_there_or_owe_nothing(bank: Bank) -> None:
    foreign, debtless = await bank.open(caller="other"), await bank.open(balance=10, currency="SEK")
    for absent in (foreign, name()):
        answer = await collect(bank, absent)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await collect(bank, debtless)
    assert answer.json()["figures"] == {"asked": 5, "owed_minor": 0}
    await owing(bank, 10)
    answer = await collect(bank, RECEIVABLE)
    assert (answer.status_code, answer.json()["code"]) == (409, "system_account")
