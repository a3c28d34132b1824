"""A customer's accounts, one a currency, and one history over all of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .bank import Bank, transfer
from .people import register


async def open_in(bank: Bank, customer_id: str, currency: str) -> Any:
    return await bank.send("POST", f"/v1/customers/{customer_id}/accounts", {"currency": currency})


async def pay_in(bank: Bank, account: str, amount_minor: int, currency: str) -> None:
    body = {"amount_minor": amount_minor, "currency": currency}
    answer = await bank.send("POST", f"/v1/accounts/{account}/deposits", body)
    assert answer.status_code == 201, answer.text


async def history(bank: Bank, customer_id: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of the history, in order."""
    entries: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = params | ({"cursor": cursor} if cursor else {})
        answer = await bank.http["bank"].get(f"/v1/customers/{customer_id}/entries", params=asked)
        assert answer.status_code == 200, answer.text
        entries += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return entries


async def test_another_currency_opens_on_request_and_once(bank: Bank) -> None:
    customer = await register(bank)
    first = await open_in(bank, customer["id"], "JPY")
    again = await open_in(bank, customer["id"], "JPY")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json()
    assert (first.json()["currency"], first.json()["holder"]) == ("JPY", "Jana Nová")
    listed = (await bank.send("GET", f"/v1/customers/{customer['id']}/accounts", key=None)).json()["items"]
    assert [one["currency"] for one in listed] == ["CZK", "JPY"]
    told = (await bank.send("GET", f"/v1/customers/{customer['id']}", key=None)).json()
    assert told["accounts"] == {one["currency"]: one["account"] for one in listed}


async def test_a_currency_asked_for_many_times_at_once_opens_once(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    answers = await asyncio.gather(*(open_in(bank, customer, "KWD") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["account"] for answer in answers}) == 1
    told = await bank.rows("SELECT type FROM outbox WHERE subject = :id AND body LIKE '%KWD%'", id=customer)
    assert [row.type for row in told] == ["florin.customer.account-opened.v1"]


async def test_a_currency_that_is_none_is_refused(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    answer = await open_in(bank, customer, "XXX")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_currency")


async def test_an_account_that_the_client_opened_under_the_reference_is_not_taken_over(bank: Bank) -> None:
    customer = await register(bank)
    reference = customer["accounts"]["CZK"].replace("CZK", "EUR")
    await bank.open(reference, currency="EUR")
    answer = await open_in(bank, customer["id"], "EUR")
    assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")


async def test_opening_a_customers_account_by_its_reference_compares_the_customers_name(bank: Bank) -> None:
    customer = await register(bank)
    terms = {"account": customer["accounts"]["CZK"], "holder": "Jana Nová", "currency": "CZK"}
    same = await bank.send("POST", "/v1/accounts", terms)
    other = await bank.send("POST", "/v1/accounts", terms | {"holder": "Petr Starý"})
    assert same.status_code == 200
    assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "holder")


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_the_history_of_all_accounts_comes_by_time_and_in_pages(bank: Bank, order: str) -> None:
    customer = await register(bank)
    await open_in(bank, customer["id"], "EUR")
    accounts = (await bank.send("GET", f"/v1/customers/{customer['id']}", key=None)).json()["accounts"]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(9):
        # Three at each instant: the order of what is equal in time must not lose or repeat any.
        bank.clock.at = start + timedelta(seconds=n // 3)
        currency = ("CZK", "EUR")[n % 2]
        await pay_in(bank, accounts[currency], n + 1, currency)
    bank.clock.at = None
    whole = await history(bank, customer["id"], order=order, limit=200)
    assert sorted(one["amount_minor"] for one in whole) == list(range(1, 10))
    times = [one["posted_at"] for one in whole]
    assert times == sorted(times, reverse=order == "desc")
    assert {one["account"] for one in whole} == set(accounts.values())
    for limit in (1, 2, 4):
        assert await history(bank, customer["id"], order=order, limit=limit) == whole
    for currency, account in accounts.items():
        own = await bank.http["bank"].get(f"/v1/accounts/{account}/entries", params={"order": order})
        mine = [
            {k: v for k, v in one.items() if k != "account"} for one in whole if one["currency"] == currency
        ]
        assert mine == own.json()["items"]


async def test_the_history_of_a_span_of_time(bank: Bank) -> None:
    customer = await register(bank)
    account = customer["accounts"]["CZK"]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(4):
        bank.clock.at = start + timedelta(days=n)
        await pay_in(bank, account, n + 1, "CZK")
    bank.clock.at = None
    span = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-04T00:00:00Z"}
    assert [one["amount_minor"] for one in await history(bank, customer["id"], **span)] == [3, 2]


async def test_a_transfer_between_own_accounts_shows_on_both(bank: Bank) -> None:
    customer = await register(bank)
    other = await register(bank)
    await pay_in(bank, customer["accounts"]["CZK"], 100, "CZK")
    await bank.post(transfer(customer["accounts"]["CZK"], other["accounts"]["CZK"], 40))
    mine, theirs = await history(bank, customer["id"]), await history(bank, other["id"])
    assert [one["amount_minor"] for one in mine] == [-40, 100]
    assert [(one["amount_minor"], one["counterparty"]) for one in theirs] == [
        (40, customer["accounts"]["CZK"])
    ]


async def test_a_cursor_of_another_history_is_refused(bank: Bank) -> None:
    one, two = await register(bank), await register(bank)
    for _ in range(2):
        await pay_in(bank, one["accounts"]["CZK"], 5, "CZK")
    page = await bank.http["bank"].get(f"/v1/customers/{one['id']}/entries", params={"limit": 1})
    cursor = page.json()["next_cursor"]
    assert cursor
    answer = await bank.http["bank"].get(f"/v1/customers/{two['id']}/entries", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
