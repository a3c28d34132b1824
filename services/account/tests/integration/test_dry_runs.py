"""What the ledger says it would do is what it then does."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from account_service.domain.hold import Conditions, HoldTerms
from account_service.domain.outcome import Completed, Held, Outcome
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.rules import Declined

from .bank import Bank, name, transfer

TABLES = ("accounts", "postings", "entries", "holds", "posting_declines", "limit_usage", "outbox")


async def ask(bank: Bank, **given: Any) -> dict[str, Any]:
    body = {"client_id": "bank", "kind": "transfer", "currency": "CZK", "capture": "automatic"} | given
    answer = await bank.send("POST", "/v1/dry-runs", body, key=None, caller="transaction")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def in_words(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Declined):
        return "declined", outcome.code, outcome.field, outcome.figures and dict(outcome.figures)
    assert isinstance(outcome, Completed | Held)
    return "completed" if isinstance(outcome, Completed) else "held", None, None, None


def told_in_words(told: dict[str, Any]) -> tuple[Any, ...]:
    return told["outcome"], told["code"], told["field"], told["figures"]


async def contents(bank: Bank) -> list[Any]:
    return [await bank.rows(f"SELECT t.*::text FROM {table} t ORDER BY 1") for table in TABLES]


async def a_town(bank: Bank, dice: random.Random) -> list[str]:
    """Accounts of every state, in two currencies, with limits and holds here and there."""
    accounts = []
    for state in ("ACTIVE", "ACTIVE", "ACTIVE", "FROZEN", "DEBIT_FROZEN", "CREDIT_FROZEN", "CLOSING"):
        account = await bank.open(balance=dice.randrange(1, 80), overdraft_minor=dice.choice([0, 0, 25]))
        if dice.random() < 0.5:
            figures = {"payment_max_minor": dice.randrange(5, 60), "daily_sum_minor": dice.randrange(10, 90)}
            body = figures | {"daily_count": dice.randrange(1, 4), "reason": "Test"}
            await bank.send("PUT", f"/v1/accounts/{account}/limits", body, key=None)
        if dice.random() < 0.5:
            terms = HoldTerms(expires_at=datetime.now(UTC) + timedelta(hours=1), tolerance_minor=1)
            await bank.post(transfer(account, await bank.open(), 1, kind=PostingKind.HOLD, hold=terms))
        if state != "ACTIVE":
            await bank.set_state(account, state)
        accounts.append(account)
    euros = await bank.open(balance=50, currency="EUR")
    return [*accounts, euros, "system:opening-balances:CZK", "nobody", await bank.open(caller="other")]


def imagined(dice: random.Random, town: list[str]) -> tuple[dict[str, Any], PostingRequest]:
    """What is asked, and the real thing."""
    debtor, creditor = dice.choice(town), dice.choice(town)
    facts = {
        "amount_minor": dice.randrange(1, 70),
        "currency": dice.choice(["CZK", "CZK", "CZK", "EUR"]),
    }
    asked: dict[str, Any] = {"debtor": debtor, "creditor": creditor} | facts
    real: dict[str, Any] = dict(facts)
    shape = dice.choice(["transfer", "hold", "reversal", "conditions"])
    if shape == "hold":
        tolerance = dice.choice([0, 0, 10])
        asked |= {"capture": "manual", "tolerance_minor": tolerance}
        terms = HoldTerms(expires_at=datetime.now(UTC) + timedelta(hours=1), tolerance_minor=tolerance)
        real |= {"kind": PostingKind.HOLD, "hold": terms}
    if shape == "reversal":
        asked |= {"kind": "reversal"}
        real |= {"kind": PostingKind.REVERSAL, "reverses": uuid4()}
    if shape == "conditions":
        least = {
            "version": dice.choice([None, 1, 2]),
            "available_at_least_minor": dice.choice([None, 20, 60]),
        }
        asked |= {"conditions": least}
        real |= {"conditions": Conditions(**least)}
    return asked, transfer(debtor, creditor, **real)


@pytest.mark.parametrize("policy", ["refuse", "receivable"])
async def test_what_is_said_is_what_then_happens(bank: Bank, policy: str) -> None:
    dice = random.Random(policy)
    await bank.send(
        "PUT", "/v1/reversal-policy", {"policy": policy, "reason": "Test"}, key=None, caller="cashier"
    )
    seen = set()
    for _ in range(4):
        town = await a_town(bank, dice)
        for _ in range(60):
            asked, real = imagined(dice, town)
            before = await contents(bank) if dice.random() < 0.1 else None
            told = await ask(bank, **asked)
            assert before is None or await contents(bank) == before, "a dry run changes nothing"
            [outcome] = await bank.post(real)
            assert told_in_words(told) == in_words(outcome), asked
            seen.add(told["code"] or told["outcome"])
            await _balance_and_limits_are_as_told(bank, told, asked["debtor"])
    assert {"completed", "held", "insufficient_funds", "limit_exceeded", "condition_not_met"} <= seen
    assert {"debtor_frozen", "creditor_frozen", "currency_mismatch", "debtor_not_found"} <= seen
    assert ("payee_has_spent_it" in seen) == (policy == "refuse")
    await bank.assert_books_balance()


async def _balance_and_limits_are_as_told(bank: Bank, told: dict[str, Any], debtor: str) -> None:
    path = f"/v1/accounts/{debtor}"
    balance = await bank.send("GET", f"{path}/balance", key=None)
    assert told["balance_after"] == (balance.json() if balance.status_code == 200 else None)
    limits = await bank.send("GET", f"{path}/limits", key=None)
    if told["limits"]:
        assert told["limits"] == limits.json()["effective"]


async def test_a_dry_run_is_for_services_and_needs_a_scope(bank: Bank) -> None:
    body = {
        "client_id": "bank",
        "debtor": await bank.open(balance=5),
        "creditor": await bank.open(),
        "amount_minor": 5,
        "currency": "CZK",
    }
    refused = await bank.send("POST", "/v1/dry-runs", body, key=None)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    told = await bank.send("POST", "/v1/dry-runs", body, key=None, caller="transaction")
    assert told.json()["outcome"] == "completed"


@pytest.mark.parametrize(
    "given",
    [
        {"amount_minor": 0},
        {"amount_minor": "5"},
        {"client_id": "a\x00b"},
        {"client_id": ""},
        {"debtor": "a b"},
        {"kind": "capture"},
        {"kind": "reversal", "capture": "manual"},
        {"tolerance_minor": 5},
        {"capture": "manual", "amount_minor": 999_999_999_999_999, "tolerance_minor": 1},
        {"capture": "later"},
        {"conditions": {"version": -1}},
        {"conditions": {"balance": 1}},
        {"idempotency_key": "x"},
    ],
)
async def test_a_dry_run_that_makes_no_sense_is_refused(bank: Bank, given: dict[str, Any]) -> None:
    body = {"client_id": "bank", "debtor": name(), "creditor": name(), "amount_minor": 5, "currency": "CZK"}
    answer = await bank.send("POST", "/v1/dry-runs", body | given, key=None, caller="transaction")
    assert answer.status_code in {400, 422}, answer.text
