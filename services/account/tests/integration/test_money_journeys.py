"""What an account's holder lives to see: money in, money out, a freeze, an edge, an end."""

import asyncio
import csv
import io
from typing import Any

import pytest

from . import camt053
from .bank import Bank, name

EVER = "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"


async def pay(bank: Bank, way: str, account: str, amount_minor: int = 5, **given: Any) -> Any:
    key, caller = given.pop("key", ""), given.pop("caller", "cashier")
    body = {"amount_minor": amount_minor, "currency": "CZK"} | given
    return await bank.send("POST", f"/v1/accounts/{account}/{way}", body, key=key, caller=caller)


async def settlement(bank: Bank, given_name: str, currency: str = "CZK") -> Any:
    body = {"name": given_name, "currency": currency}
    return await bank.send("POST", "/v1/settlement-accounts", body, key=None, caller="cashier")


async def test_money_goes_in_and_out_through_a_named_settlement_account(bank: Bank) -> None:
    acquirer = f"acquirer-{name()[-6:]}"
    assert (await settlement(bank, acquirer)).status_code == 201
    account = await bank.open()
    paid_in = (await pay(bank, "deposits", account, 100, settlement=acquirer)).json()
    answer = await pay(bank, "withdrawals", account, 30, settlement=acquirer, reference="ATM 7")
    assert answer.status_code == 201
    assert answer.json() == {
        "posting_id": answer.json()["posting_id"],
        "account": account,
        "amount_minor": 30,
        "currency": "CZK",
        "balance_after_minor": 70,
        "settlement_account": f"system:settlement:{acquirer}:CZK",
        "reference": "ATM 7",
        "description": None,
        "posted_at": answer.json()["posted_at"],
    }
    assert paid_in["settlement_account"] == answer.json()["settlement_account"]
    told = (await bank.send("GET", f"/v1/accounts/{account}/statement?{EVER}", key=None)).json()
    lines = [(line["kind"], line["amount_minor"], line["counterparty"]) for line in told["items"]]
    outside = f"system:settlement:{acquirer}:CZK"
    assert lines == [("deposit", 100, outside), ("withdrawal", -30, outside)]
    assert await bank.balance(outside) == -70
    await bank.assert_books_balance()


async def test_a_withdrawal_needs_a_scope_of_its_own(bank: Bank) -> None:
    account = await bank.open(balance=10)
    refused = await pay(bank, "withdrawals", account, caller="bank")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await bank.balance(account) == 10
    assert (await pay(bank, "withdrawals", account)).status_code == 201
    assert await bank.balance(account) == 5


async def test_a_frozen_account_lets_nothing_out_until_it_is_lifted(bank: Bank) -> None:
    account = await bank.open(balance=10)
    await bank.set_state(account, "FROZEN")
    for key in ("frozen-withdrawal", "frozen-withdrawal"):
        refused = await pay(bank, "withdrawals", account, key=key)
        assert (refused.status_code, refused.json()["code"]) == (409, "account_frozen")
    await bank.set_state(account, "ACTIVE")
    assert (await pay(bank, "withdrawals", account, key="frozen-withdrawal")).status_code == 201


async def test_an_account_is_closed_when_its_last_money_has_been_withdrawn(bank: Bank) -> None:
    account = await bank.open(balance=5)
    body = {"state": "CLOSED", "reason": "Customer left"}
    refused = await bank.send("POST", f"/v1/accounts/{account}/state", body, key=None)
    assert (refused.status_code, refused.json()["code"]) == (409, "account_not_empty")
    assert (await pay(bank, "withdrawals", account, 5)).status_code == 201
    await bank.set_state(account, "CLOSED")
    for way in ("deposits", "withdrawals"):
        refused = await pay(bank, way, account)
        assert (refused.status_code, refused.json()["code"]) == (409, "account_closed")


@pytest.mark.parametrize(
    ("currency", "last", "balance"),
    [
        ("CZK", "0.01", "-3.00"),
        ("JPY", "1", "-300"),
        ("KWD", "0.001", "-0.300"),
    ],
)
async def test_the_overdraft_is_used_to_the_last_minor_unit_and_no_further(
    bank: Bank, currency: str, last: str, balance: str
) -> None:
    account = await bank.open(balance=200, overdraft_minor=300, currency=currency)
    assert (await pay(bank, "withdrawals", account, 499, currency=currency)).status_code == 201
    refused = await pay(bank, "withdrawals", account, 2, currency=currency)
    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_funds")
    assert [fault["field"] for fault in refused.json()["errors"]] == ["amount_minor"]
    assert (await pay(bank, "withdrawals", account, 1, currency=currency)).status_code == 201
    assert (await pay(bank, "withdrawals", account, 1, currency=currency)).status_code == 422
    path = f"/v1/accounts/{account}/statement?{EVER}"
    rows = list(
        csv.DictReader(
            io.StringIO((await bank.send("GET", path, key=None, accept="text/csv")).text, newline="")
        )
    )
    assert (rows[-2]["amount"], rows[-1]["balance"]) == (f"-{last}", balance)
    root = camt053.read((await bank.send("GET", path, key=None, accept="application/xml")).text)
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Ntry/Amt")[-1] == last
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Bal/CdtDbtInd") == ["CRDT", "DBIT"]


async def test_a_withdrawal_under_one_key_is_paid_out_once(bank: Bank) -> None:
    account = await bank.open(balance=100)
    key = name("withdrawal")
    answers = await asyncio.gather(*(pay(bank, "withdrawals", account, 25, key=key) for _ in range(16)))
    assert sorted(one.status_code for one in answers) == [200] * 15 + [201]
    assert len({one.text for one in answers}) == 1
    assert await bank.balance(account) == 75
    reused = await pay(bank, "deposits", account, 25, key=key)
    assert (reused.status_code, reused.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    other = await pay(bank, "withdrawals", account, 25, key=key, settlement="elsewhere")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "settlement")


@pytest.mark.parametrize(
    ("asked", "status", "figures"),
    [
        ({"version": 1, "available_at_least_minor": 50}, 201, None),
        ({"version": 2}, 409, {"asked": 2, "version": 1}),
        ({"available_at_least_minor": 51}, 422, {"asked": 51, "available_minor": 50}),
    ],
)
async def test_a_withdrawal_under_a_condition_is_made_only_when_it_is_met(
    bank: Bank, asked: dict[str, int], status: int, figures: dict[str, int] | None
) -> None:
    account = await bank.open(balance=50)
    answer = await pay(bank, "withdrawals", account, 10, conditions=asked)
    assert answer.status_code == status, answer.text
    if figures is not None:
        assert (answer.json()["code"], answer.json()["figures"]) == ("condition_not_met", figures)
    assert await bank.balance(account) == (40 if figures is None else 50)


async def test_withdrawals_count_as_money_that_leaves_the_account(bank: Bank) -> None:
    account = await bank.open(balance=100)
    body = {"daily_sum_minor": 30, "reason": "New customer"}
    answer = await bank.send("PUT", f"/v1/accounts/{account}/limits", body, key=None)
    assert answer.status_code == 200, answer.text
    assert (await pay(bank, "withdrawals", account, 20)).status_code == 201
    refused = await pay(bank, "withdrawals", account, 11)
    assert (refused.status_code, refused.json()["code"]) == (422, "limit_exceeded")
    figures = refused.json()["figures"]
    assert (figures["allowed"], figures["used"], figures["asked"]) == (30, 20, 11)
    assert (await pay(bank, "withdrawals", account, 10)).status_code == 201


async def test_withdrawals_at_once_never_pass_the_balance(bank: Bank) -> None:
    account = await bank.open(balance=50)
    answers = await asyncio.gather(*(pay(bank, "withdrawals", account, 10) for _ in range(12)))
    assert sorted(one.status_code for one in answers) == [201] * 5 + [422] * 7
    assert await bank.balance(account) == 0
    await bank.assert_books_balance()


async def test_a_key_of_a_deposit_from_before_settlement_accounts_had_names_is_known_again(
    bank: Bank,
) -> None:
    account = await bank.open()
    await pay(bank, "deposits", account, key="old-key")
    [row] = await bank.rows("SELECT field_digests FROM idempotency_keys WHERE idempotency_key = 'old-key'")
    assert sorted(row.field_digests) == ["account", "amount_minor", "currency", "description", "reference"]


@pytest.mark.parametrize("way", ["deposits", "withdrawals"])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"settlement": "nowhere"}, "settlement_account_not_found"),
        ({"settlement": "Bad Name"}, "invalid_request"),
        ({"settlement": ""}, "invalid_request"),
        ({"settlement": "x" * 41}, "invalid_request"),
        ({"amount_minor": 0}, "invalid_request"),
        ({"amount_minor": 1.5}, "invalid_request"),
        ({"currency": "EUR"}, "currency_mismatch"),
        ({"debtor": "x"}, "invalid_request"),
    ],
)
async def test_a_bad_movement_moves_nothing(bank: Bank, way: str, given: dict[str, Any], code: str) -> None:
    account = await bank.open(balance=10)
    answer = await pay(bank, way, account, **given)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await bank.balance(account) == 10


async def test_a_settlement_account_of_another_client_or_currency_is_not_there(bank: Bank) -> None:
    mine = f"mine-{name()[-6:]}"
    await settlement(bank, mine, "EUR")
    account, foreign = await bank.open(), await bank.open(caller="other", currency="EUR")
    wrong_currency = await pay(bank, "deposits", account, settlement=mine)
    other = await pay(bank, "deposits", foreign, settlement=mine, currency="EUR", caller="other")
    for answer in (wrong_currency, other):
        assert (answer.status_code, answer.json()["code"]) == (422, "settlement_account_not_found")


async def test_settlement_accounts_are_opened_once_and_listed(bank: Bank) -> None:
    names = sorted(f"list-{name()[-6:]}" for _ in range(3))
    for one in names:
        answers = await asyncio.gather(*(settlement(bank, one, "SEK") for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [201]
        assert {answer.headers["location"] for answer in answers} == {
            f"/v1/accounts/system:settlement:{one}:SEK"
        }
    account = await bank.open(currency="SEK")
    await pay(bank, "deposits", account, 7, currency="SEK", settlement=names[1])
    await pay(bank, "deposits", account, 1, currency="SEK")
    seen, cursor = [], ""
    while True:
        path = f"/v1/settlement-accounts?currency=SEK&limit=2{cursor}"
        page = (await bank.send("GET", path, key=None)).json()
        seen += [(one["name"], one["posted_minor"]) for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [(None, -1), (names[0], 0), (names[1], -7), (names[2], 0)]
    history = await bank.send("GET", f"/v1/accounts/system:settlement:{names[0]}:SEK/state-changes", key=None)
    assert [(one["state"], one["author"]) for one in history.json()["items"]] == [("ACTIVE", "client:bank")]


async def test_opening_a_settlement_account_needs_its_scope(bank: Bank) -> None:
    body = {"name": "mine", "currency": "CZK"}
    answer = await bank.send("POST", "/v1/settlement-accounts", body, key=None, caller="bank")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("account", ["system:settlement:CZK", "absent", "x" * 65])
async def test_a_withdrawal_leaves_an_account_of_the_client_only(bank: Bank, account: str) -> None:
    await pay(bank, "deposits", await bank.open())
    answer = await pay(bank, "withdrawals", account)
    assert answer.status_code in {404, 409, 422}
    assert answer.headers["content-type"] == "application/problem+json"
