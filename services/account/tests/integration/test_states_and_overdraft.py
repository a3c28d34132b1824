"""What each state lets in and out, when an account closes, and how its overdraft changes."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import asyncpg
import pytest
from account_service.domain.account import LETS, NEXT, AccountState, Way
from account_service.domain.outcome import Outcome
from account_service.domain.rules import Declined
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, capture, hold, terms, transfer, void

# Long ago, so that what other tests hold by the real clock is not due yet.
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
STATES = list(AccountState)


def passed(outcome: Outcome) -> bool:
    return not isinstance(outcome, Declined)


@pytest.mark.parametrize("state", STATES)
async def test_a_state_lets_through_what_the_table_says(bank: Bank, state: AccountState) -> None:
    account, other = await bank.open(balance=100), await bank.open(balance=100)
    if state is AccountState.CLOSED:
        await bank.post(transfer(account, other, 100))
        placed = hold(other, account, 5)
    else:
        placed = hold(account, other, 5)
        await bank.post(placed)
    await bank.set_state(account, state)
    tried = {
        Way.IN: transfer(other, account, 1),
        Way.OUT: transfer(account, other, 1),
        Way.HOLD: hold(account, other, 1),
        Way.CAPTURE: capture(placed, 5)
        if state is not AccountState.CLOSED
        else capture(hold(account, other), 1),
    }
    outcomes = dict(zip(tried, await bank.post(*tried.values()), strict=True))
    assert {way for way, outcome in outcomes.items() if passed(outcome)} == LETS[state]
    word = "closed" if state in {AccountState.CLOSING, AccountState.CLOSED} else "frozen"
    for way, outcome in outcomes.items():
        if isinstance(outcome, Declined) and outcome.code != "hold_not_found":
            assert outcome.code == f"{'creditor' if way is Way.IN else 'debtor'}_{word}"
    await bank.assert_books_balance()


@pytest.mark.parametrize("state", [one for one in STATES if one is not AccountState.CLOSED])
@pytest.mark.parametrize("end", ["voided", "expired"])
async def test_a_hold_is_given_back_in_every_state(bank: Bank, state: AccountState, end: str) -> None:
    payer, payee = await bank.open(balance=10), await bank.open()
    bank.clock.at = NOON
    authorised = hold(payer, payee, 10, expires_at=NOON + timedelta(minutes=1))
    await bank.post(authorised)
    if state is not AccountState.ACTIVE:
        await bank.set_state(payer, state)
    if end == "voided":
        await bank.post(void(authorised))
    else:
        bank.clock.at = NOON + timedelta(minutes=1)
        await bank.expire()
    assert await bank.figures(payer) == (10, 0, 10)


async def test_an_account_that_closes_gives_its_own_money_and_no_overdraft(bank: Bank) -> None:
    account, other = await bank.open(balance=10, overdraft_minor=50), await bank.open()
    authorised = hold(account, other, 20)
    await bank.post(authorised, transfer(account, other, 1))
    await bank.set_state(account, "CLOSING")
    outcomes = await bank.post(transfer(account, other, 1), capture(authorised, 20))
    assert [passed(one) for one in outcomes] == [False, True]
    await bank.set_state(account, "ACTIVE")
    await bank.post(transfer(other, account, 21))
    await bank.set_state(account, "CLOSING")
    outcomes = await bank.post(transfer(account, other, 11), transfer(account, other, 10))
    assert [passed(one) for one in outcomes] == [False, True]
    await bank.set_state(account, "CLOSED")


async def test_an_account_with_an_open_hold_is_not_closed(bank: Bank) -> None:
    payer, payee = await bank.open(balance=10), await bank.open()
    # Of this hold nothing remains, and yet more may be captured: it is open.
    authorised = hold(payer, payee, 10, captured_many_times=True, tolerance_minor=5)
    await bank.post(authorised, capture(authorised, 10))
    assert await bank.figures(payer) == (0, 0, 0)
    path, body = f"/v1/accounts/{payer}/state", {"state": "CLOSED", "reason": "Left"}
    answer = await bank.send("POST", path, body, key=None)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_empty")
    await bank.post(void(authorised))
    assert (await bank.send("POST", path, body, key=None)).status_code == 200


async def test_holds_and_closing_at_once_never_leave_a_closed_account_with_a_hold(bank: Bank) -> None:
    for _ in range(10):
        payer, payee = await bank.open(overdraft_minor=10), await bank.open()
        closing = bank.send(
            "POST", f"/v1/accounts/{payer}/state", {"state": "CLOSED", "reason": "Race"}, key=None
        )
        answer, [outcome] = await asyncio.gather(closing, bank.post(hold(payer, payee, 5)))
        assert (answer.status_code == 200) != passed(outcome)


@pytest.mark.parametrize(("current", "wanted"), list(product(STATES, STATES)))
async def test_the_database_knows_the_same_moves(
    bank: Bank, account_database: ServiceDatabase, current: AccountState, wanted: AccountState
) -> None:
    account = await bank.open()
    if current is not AccountState.ACTIVE:
        await bank.set_state(account, current)
    connection = await connect(account_database.app_url)
    try:
        statement = "UPDATE accounts SET state = $2 WHERE reference = $1"
        if wanted is current or wanted in NEXT[current]:
            await connection.execute(statement, account, wanted.value)
        else:
            with pytest.raises(asyncpg.CheckViolationError) as refusal:
                await connection.execute(statement, account, wanted.value)
            assert refusal.value.constraint_name == "accounts_state_machine"
    finally:
        await connection.close()


async def put(bank: Bank, account: str, overdraft: Any, **given: Any) -> Any:
    body = {"overdraft_minor": overdraft, "reason": "Agreed by letter"}
    return await bank.send("PUT", f"/v1/accounts/{account}/overdraft", body, key=None, **given)


async def test_an_overdraft_changes_to_the_minor_unit_and_never_below_what_is_used(bank: Bank) -> None:
    payer, payee = await bank.open(balance=10, overdraft_minor=20), await bank.open()
    await bank.post(transfer(payer, payee, 15), hold(payer, payee, 10))
    refused = await put(bank, payer, 14)
    assert (refused.status_code, refused.json()["code"]) == (409, "overdraft_in_use")
    assert "15" in refused.json()["detail"]
    allowed = await put(bank, payer, 15)
    assert (allowed.status_code, allowed.json()["overdraft_minor"], allowed.json()["available_minor"]) == (
        200,
        15,
        0,
    )
    assert not passed((await bank.post(transfer(payer, payee, 1)))[0])
    assert (await put(bank, payer, 16)).status_code == 200
    assert [passed(one) for one in await bank.post(transfer(payer, payee, 2), transfer(payer, payee, 1))] == [
        False,
        True,
    ]


async def test_changes_of_the_overdraft_are_kept_with_reason_and_author(bank: Bank) -> None:
    account = await bank.open(overdraft_minor=5)
    for wanted in (50, 50, 0):
        assert (await put(bank, account, wanted)).status_code == 200
    path = f"/v1/accounts/{account}/overdraft-changes"
    page = (await bank.send("GET", f"{path}?limit=1", key=None)).json()
    rest = (await bank.send("GET", f"{path}?limit=1&cursor={page['next_cursor']}", key=None)).json()
    changes = [*page["items"], *rest["items"]]
    assert [
        (one["previous_minor"], one["overdraft_minor"], one["reason"], one["author"]) for one in changes
    ] == [
        (50, 0, "Agreed by letter", "client:bank"),
        (5, 50, "Agreed by letter", "client:bank"),
    ]
    assert rest["next_cursor"] is None


async def test_opening_again_is_a_replay_after_the_overdraft_has_changed(bank: Bank) -> None:
    body = terms(overdraft_minor=5)
    assert (await bank.send("POST", "/v1/accounts", body)).status_code == 201
    assert (await put(bank, body["account"], 50)).status_code == 200
    assert (await bank.send("POST", "/v1/accounts", body)).status_code == 200
    other = await bank.send("POST", "/v1/accounts", body | {"overdraft_minor": 50})
    assert (other.status_code, other.json()["code"]) == (409, "account_exists")


async def test_what_has_no_overdraft_gets_none(bank: Bank) -> None:
    closed, rich = await bank.open(), await bank.open(balance=10)
    await bank.set_state(closed, "CLOSED")
    answer = await put(bank, closed, 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_closed")
    answer = await put(bank, "system:opening-balances:CZK", 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "system_account")
    assert (await put(bank, rich, 1, caller="other")).status_code == 404
    assert (await put(bank, rich, 1, caller="reader")).status_code == 403
    for bad in (-1, "1", 1.5, True, None, 10**15):
        answer = await put(bank, rich, bad)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await bank.figures(rich))[2] == 10


async def test_an_overdraft_that_makes_available_money_inexact_is_refused(bank: Bank) -> None:
    rich = await bank.open(balance=999_999_999_999_999)
    for _ in range(8):
        body = {"amount_minor": 999_999_999_999_999, "currency": "CZK"}
        assert (await bank.send("POST", f"/v1/accounts/{rich}/deposits", body)).status_code == 201
    answer = await put(bank, rich, 999_999_999_999_999)
    assert (answer.status_code, answer.json()["code"]) == (422, "balance_limit_exceeded")
