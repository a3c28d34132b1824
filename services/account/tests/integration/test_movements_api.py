"""Deposits, states and entries over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .bank import Bank, transfer


async def pay_in(bank: Bank, account: str, amount_minor: int = 5, **given: Any) -> Any:
    key = given.pop("key", "")
    body = {"amount_minor": amount_minor, "currency": "CZK"} | given
    return await bank.send("POST", f"/v1/accounts/{account}/deposits", body, key=key)


async def test_a_deposit_is_a_posting_from_the_settlement_account(bank: Bank) -> None:
    account = await bank.open(balance=10)
    answer = await pay_in(bank, account, 25, reference="PAY-1", description="Cash desk 4")
    assert answer.status_code == 201
    told = answer.json()
    assert told | {"posting_id": None, "posted_at": None} == {
        "posting_id": None,
        "account": account,
        "amount_minor": 25,
        "currency": "CZK",
        "balance_after_minor": 35,
        "settlement_account": "system:settlement:CZK",
        "reference": "PAY-1",
        "description": "Cash desk 4",
        "posted_at": None,
    }
    newest = (await bank.send("GET", f"/v1/accounts/{account}/entries", key=None)).json()["items"][0]
    assert newest == {
        "entry_number": 2,
        "posting_id": told["posting_id"],
        "payment_id": None,
        "kind": "deposit",
        "amount_minor": 25,
        "currency": "CZK",
        "balance_after_minor": 35,
        "counterparty": "system:settlement:CZK",
        "reference": "PAY-1",
        "description": "Cash desk 4",
        "reverses": None,
        "captures": None,
        "posted_at": told["posted_at"],
    }
    await bank.assert_books_balance()


async def test_a_deposit_under_one_key_is_paid_in_once(bank: Bank) -> None:
    account = await bank.open()
    answers = await asyncio.gather(*(pay_in(bank, account, 25, key="deposit-a") for _ in range(16)))
    await pay_in(bank, account, 1)
    answers.append(await pay_in(bank, account, 25, key="deposit-a"))
    assert sorted(one.status_code for one in answers) == [200] * 16 + [201]
    assert len({one.text for one in answers}) == 1
    assert await bank.balance(account) == 26
    reused = await pay_in(bank, account, 26, key="deposit-a")
    assert (reused.status_code, [fault["field"] for fault in reused.json()["errors"]]) == (
        422,
        ["amount_minor"],
    )


async def test_the_first_deposits_of_a_currency_at_once_open_one_settlement_account(bank: Bank) -> None:
    accounts = [await bank.open(currency="PLN") for _ in range(16)]
    answers = await asyncio.gather(*(pay_in(bank, account, 3, currency="PLN") for account in accounts))
    assert {one.status_code for one in answers} == {201}
    assert len(await bank.rows("SELECT 1 FROM accounts WHERE reference = 'system:settlement:PLN'")) == 1
    await bank.assert_books_balance()


@pytest.mark.parametrize(
    ("state", "currency", "status", "code", "field"),
    [
        ("FROZEN", "CZK", 409, "account_frozen", "account"),
        ("CLOSED", "CZK", 409, "account_closed", "account"),
        ("ACTIVE", "EUR", 422, "currency_mismatch", "currency"),
    ],
)
async def test_a_deposit_is_declined_with_a_code(
    bank: Bank, state: str, currency: str, status: int, code: str, field: str
) -> None:
    account = await bank.open()
    if state != "ACTIVE":
        await bank.set_state(account, state)
    answer = await pay_in(bank, account, currency=currency)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert await bank.balance(account) == 0


async def test_a_declined_deposit_may_be_sent_again_under_its_key(bank: Bank) -> None:
    account = await bank.open()
    await bank.set_state(account, "FROZEN")
    assert (await pay_in(bank, account, key="deposit-b")).status_code == 409
    await bank.set_state(account, "ACTIVE")
    assert (await pay_in(bank, account, key="deposit-b")).status_code == 201


async def test_a_deposit_cannot_pass_the_largest_balance(bank: Bank) -> None:
    largest = 999_999_999_999_999
    account = await bank.open(currency="CLP", overdraft_minor=largest)
    for _ in range(8):
        assert (await pay_in(bank, account, largest, currency="CLP")).status_code == 201
    answer = await pay_in(bank, account, largest, currency="CLP")
    assert (answer.status_code, answer.json()["code"]) == (422, "balance_limit_exceeded")
    told = (await bank.send("GET", f"/v1/accounts/{account}", key=None)).json()
    assert told["available_minor"] <= 2**53 - 1


@pytest.mark.parametrize("reference", ["system:settlement:CZK", "absent", "a%00b", "..%2f", "x" * 65])
async def test_a_deposit_goes_to_an_account_of_the_client_only(bank: Bank, reference: str) -> None:
    await pay_in(bank, await bank.open())
    answer = await pay_in(bank, reference)
    assert answer.status_code in {400, 404, 409, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "given",
    [
        {"amount_minor": 0},
        {"amount_minor": -5},
        {"amount_minor": 10**15},
        {"amount_minor": 1.0},
        {"amount_minor": "5"},
        {"currency": "xxx"},
        {"reference": ""},
        {"reference": "a\nb"},
        {"description": "x" * 281},
        {"debtor": "system:settlement:CZK"},
    ],
)
async def test_a_bad_deposit_moves_nothing(bank: Bank, given: dict[str, Any]) -> None:
    account = await bank.open()
    answer = await pay_in(bank, account, **given)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await bank.balance(account) == 0


async def test_states_move_by_the_table_and_each_move_is_kept(bank: Bank) -> None:
    account = await bank.open()
    path = f"/v1/accounts/{account}/state"
    for state, reason in (("FROZEN", "Court order 7"), ("ACTIVE", "Lifted"), ("CLOSED", "Customer left")):
        answer = await bank.send("POST", path, {"state": state, "reason": reason}, key=None)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    for state in ("ACTIVE", "FROZEN"):
        answer = await bank.send("POST", path, {"state": state, "reason": "Back"}, key=None)
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state_change")
    history = (await bank.send("GET", f"/v1/accounts/{account}/state-changes?limit=3", key=None)).json()
    assert [(one["previous"], one["state"], one["reason"], one["author"]) for one in history["items"]] == [
        ("ACTIVE", "CLOSED", "Customer left", "client:bank"),
        ("FROZEN", "ACTIVE", "Lifted", "client:bank"),
        ("ACTIVE", "FROZEN", "Court order 7", "client:bank"),
    ]
    rest = await bank.send(
        "GET", f"/v1/accounts/{account}/state-changes?limit=3&cursor={history['next_cursor']}", key=None
    )
    assert [(one["previous"], one["state"]) for one in rest.json()["items"]] == [(None, "ACTIVE")]


async def test_a_repeated_state_change_stays_one_move(bank: Bank) -> None:
    account = await bank.open()
    await asyncio.gather(*(bank.set_state(account, "FROZEN") for _ in range(8)))
    history = (await bank.send("GET", f"/v1/accounts/{account}/state-changes", key=None)).json()["items"]
    assert [one["state"] for one in history] == ["FROZEN", "ACTIVE"]


async def test_an_account_with_money_cannot_be_closed(bank: Bank) -> None:
    account = await bank.open(balance=1)
    body = {"state": "CLOSED", "reason": "Customer left"}
    answer = await bank.send("POST", f"/v1/accounts/{account}/state", body, key=None)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_empty")
    await bank.post(transfer(account, await bank.open(), 1))
    answer = await bank.send("POST", f"/v1/accounts/{account}/state", body, key=None)
    assert answer.json()["state"] == "CLOSED"


async def test_closing_and_paying_at_once_leave_no_money_on_a_closed_account(bank: Bank) -> None:
    payer = await bank.open(balance=100)
    for _ in range(8):
        account = await bank.open()
        body = {"state": "CLOSED", "reason": "Race"}
        closing = bank.send("POST", f"/v1/accounts/{account}/state", body, key=None)
        answer, _ = await asyncio.gather(closing, bank.post(transfer(payer, account)))
        told = (await bank.send("GET", f"/v1/accounts/{account}", key=None)).json()
        assert (answer.status_code, told["state"], told["posted_minor"]) in {
            (200, "CLOSED", 0),
            (409, "ACTIVE", 1),
        }


async def test_system_accounts_cannot_be_frozen(bank: Bank) -> None:
    await bank.open(balance=1)
    answer = await bank.send(
        "POST",
        "/v1/accounts/system:opening-balances:CZK/state",
        {"state": "FROZEN", "reason": "No"},
        key=None,
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "system_account")


@pytest.mark.parametrize(
    "body",
    [
        {"state": "FROZEN"},
        {"state": "FROZEN", "reason": ""},
        {"state": "frozen", "reason": "x"},
        {"state": 1, "reason": "x"},
        {"state": "FROZEN", "reason": "x" * 501},
        {"state": "FROZEN", "reason": "x", "author": "somebody else"},
        [],
        "FROZEN",
        None,
    ],
)
async def test_a_bad_state_change_changes_nothing(bank: Bank, body: Any) -> None:
    account = await bank.open()
    answer = await bank.send("POST", f"/v1/accounts/{account}/state", body, key=None)
    assert answer.status_code in {400, 415, 422}
    assert (await bank.send("GET", f"/v1/accounts/{account}", key=None)).json()["state"] == "ACTIVE"


async def test_entries_come_in_pages_with_their_running_balance(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    for amount in range(1, 8):
        await bank.post(transfer(payer, payee, amount))

    async def pages(order: str) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        cursor = ""
        while True:
            path = f"/v1/accounts/{payer}/entries?limit=3&order={order}{cursor}"
            page = (await bank.send("GET", path, key=None)).json()
            seen += page["items"]
            if page["next_cursor"] is None:
                return seen
            cursor = f"&cursor={page['next_cursor']}"

    newest_first, oldest_first = await pages("desc"), await pages("asc")
    assert newest_first == oldest_first[::-1]
    assert [entry["entry_number"] for entry in oldest_first] == list(range(1, 9))
    balance = 0
    for entry in oldest_first:
        balance += entry["amount_minor"]
        assert entry["balance_after_minor"] == balance
    assert balance == await bank.balance(payer)


async def test_entries_can_be_asked_for_by_time(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    for hours in range(4):
        bank.clock.at = noon + timedelta(hours=hours)
        await bank.post(transfer(payer, payee, hours + 1))
    path = f"/v1/accounts/{payee}/entries?order=asc&from=2027-03-01T13:00:00Z&to=2027-03-01T16:00:00%2B01:00"
    items = (await bank.send("GET", path, key=None)).json()["items"]
    assert [entry["amount_minor"] for entry in items] == [2, 3]


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2027-03-01",
        "from=0.5",
        "from=1700000000",
        "from=2027-03-01T13:00:00",
        "from=2027-03-02T00:00:00Z&to=2027-03-01T00:00:00Z",
        "from=0001-01-01T00:00:00%2B14:00",
        "to=9999-12-31T23:59:59-14:00",
        "to=99999999999999999999",
        "order=up",
        "until=2027-03-01T00:00:00Z",
        "cursor=AAAA",
    ],
)
async def test_a_window_that_cannot_be_evaluated_is_refused(bank: Bank, query: str) -> None:
    answer = await bank.send("GET", f"/v1/accounts/{await bank.open()}/entries?{query}", key=None)
    assert answer.status_code in {400, 422}, answer.text


async def test_a_forged_cursor_is_refused(bank: Bank) -> None:
    from service_kit.cursors import encode_cursor

    account = await bank.open(balance=1)
    for position in (str(2**63), "-1", "٣", "1e3", ""):
        cursor = encode_cursor(f"entries {account} desc", position)
        answer = await bank.send("GET", f"/v1/accounts/{account}/entries?cursor={cursor}", key=None)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
