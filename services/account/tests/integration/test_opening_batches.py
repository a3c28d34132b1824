"""Opening many accounts in one request."""

import asyncio
from typing import Any

import pytest

from .bad_fields import BAD_FIELDS
from .bank import Bank, name, terms


@pytest.mark.parametrize(("field", "value", "code"), BAD_FIELDS)
async def test_a_bad_item_is_refused_alone_in_a_batch(bank: Bank, field: str, value: Any, code: str) -> None:
    good, bad = terms(), terms() | {field: value}
    answer = await bank.send("POST", "/v1/accounts/batches", {"accounts": [bad, good]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["opened"], told["replayed"], told["refused"]) == (1, 0, 1)
    assert (told["items"][0]["problem"]["field"], told["items"][0]["problem"]["code"]) == (field, code)
    assert told["items"][1] == {"outcome": "opened", "account": good["account"], "problem": None}


@pytest.mark.parametrize("item", [None, 5, "account", [], [[]], {}, {"account": {"a": 1}}, 10**30])
async def test_an_item_may_be_anything_and_is_refused(bank: Bank, item: Any) -> None:
    answer = await bank.send("POST", "/v1/accounts/batches", {"accounts": [item]})
    assert (answer.status_code, answer.json()["refused"]) == (200, 1)


async def test_a_batch_tells_an_outcome_each(bank: Bank) -> None:
    existing = terms(opening_balance_minor=5)
    await bank.send("POST", "/v1/accounts", existing)
    fresh = terms(opening_balance_minor=7, currency="JPY")
    items = [existing, fresh, existing | {"holder": "Other"}, fresh, fresh | {"currency": "EUR"}]
    answer = (await bank.send("POST", "/v1/accounts/batches", {"accounts": items})).json()
    assert [item["outcome"] for item in answer["items"]] == [
        "replayed",
        "opened",
        "refused",
        "replayed",
        "refused",
    ]
    assert [item["problem"]["field"] for item in answer["items"] if item["problem"]] == ["holder", "currency"]
    assert await bank.balance(fresh["account"]) == 7
    await bank.assert_books_balance()


async def test_a_batch_of_1000_opens_and_replays_with_the_same_outcomes(bank: Bank) -> None:
    items = [terms(name("many"), opening_balance_minor=n) for n in range(1000)]
    first = await bank.send("POST", "/v1/accounts/batches", {"accounts": items}, key="batch-a")
    again = await bank.send("POST", "/v1/accounts/batches", {"accounts": items}, key="batch-a")
    assert (first.json()["opened"], first.json()["refused"]) == (1000, 0)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    changed = [*items[:500], items[500] | {"holder": "Other"}, *items[501:]]
    reused = await bank.send("POST", "/v1/accounts/batches", {"accounts": changed}, key="batch-a")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert [fault["field"] for fault in reused.json()["errors"]] == ["accounts.500"]
    other_key = await bank.send("POST", "/v1/accounts/batches", {"accounts": items}, key="batch-b")
    assert (other_key.json()["opened"], other_key.json()["replayed"]) == (0, 1000)
    await bank.assert_books_balance()


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_1_to_1000_items(bank: Bank, count: int) -> None:
    answer = await bank.send("POST", "/v1/accounts/batches", {"accounts": [{}] * count})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "accounts")


@pytest.mark.parametrize("balance", [0, 3])
async def test_batches_of_the_same_accounts_in_opposite_order_meet_no_deadlock(
    bank: Bank, balance: int
) -> None:
    for _ in range(3):
        items = [terms(opening_balance_minor=balance, currency="NOK") for _ in range(300)]
        answers = await asyncio.gather(
            *(
                bank.send("POST", "/v1/accounts/batches", {"accounts": items[:: 1 if n % 2 else -1]})
                for n in range(6)
            )
        )
        assert [one.status_code for one in answers] == [200] * 6
        assert sum(one.json()["opened"] for one in answers) == 300
    await bank.assert_books_balance()


async def test_opening_balances_that_would_pass_the_largest_balance_are_refused(bank: Bank) -> None:
    largest = 999_999_999_999_999
    items = [terms(currency="KWD", opening_balance_minor=largest) for _ in range(10)]
    answer = await bank.send("POST", "/v1/accounts/batches", {"accounts": items})
    assert (answer.status_code, answer.json()["opened"], answer.json()["refused"]) == (200, 9, 1)
    problem = answer.json()["items"][9]["problem"]
    assert (problem["code"], problem["field"]) == ("balance_limit_exceeded", "opening_balance_minor")
    alone = await bank.send("POST", "/v1/accounts", terms(currency="KWD", opening_balance_minor=largest))
    assert (alone.status_code, alone.json()["code"]) == (422, "balance_limit_exceeded")
    assert (await bank.send("GET", f"/v1/accounts/{items[9]['account']}", key=None)).status_code == 404
    await bank.assert_books_balance()
