"""The database's own checks of holds: they hold against whatever the code above them might do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from account_service.domain.posting import PostingRequest
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, capture, hold, void

INSERT = """
    INSERT INTO holds (payment_id, client_id, account_id, creditor, amount_minor, currency, tolerance_minor,
        captured_many_times, expires_at, placed_at)
    SELECT $1, 'bank', id, 'payee', 10, $3, 0, false, now(), now() FROM accounts WHERE reference = $2
"""
END = """
    UPDATE holds SET state = $2, ended_at = now(), reason = 'r', author = 'a', captured_minor = $3
    WHERE payment_id = $1
"""


@pytest.fixture
async def hand(account_database: ServiceDatabase) -> AsyncIterator[Any]:
    """Writes past all code, as the app role."""
    connection = await connect(account_database.app_url)
    yield connection
    await connection.close()


async def standing(bank: Bank, **given: Any) -> tuple[str, PostingRequest]:
    """A payer with 100, 10 of which are held."""
    payer = await bank.open(balance=100)
    placed = hold(payer, await bank.open(), 10, **given)
    await bank.post(placed)
    return payer, placed


async def refused(hand: Any, rule: str, statement: str, *parameters: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.execute(statement, *parameters)
    assert refusal.value.constraint_name == rule


async def test_a_hold_cannot_stand_without_its_part_of_what_is_held(bank: Bank, hand: Any) -> None:
    payer, _ = await standing(bank)
    await refused(hand, "accounts_held_is_what_holds_hold", INSERT, uuid4(), payer, "CZK")


async def test_what_is_held_cannot_change_without_a_hold(bank: Bank, hand: Any) -> None:
    payer, _ = await standing(bank)
    for change in (1, -1):
        await refused(
            hand,
            "accounts_held_is_what_holds_hold",
            "UPDATE accounts SET held_minor = held_minor + $2 WHERE reference = $1",
            payer,
            change,
        )


async def test_a_hold_that_has_ended_has_ended(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank)
    await bank.post(void(placed))
    for state in ("OPEN", "CAPTURED", "EXPIRED", "VOIDED"):
        await refused(hand, "holds_end_once", END, placed.payment_id, state, 0)


async def test_a_hold_cannot_end_and_keep_its_money(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank)
    await refused(hand, "accounts_held_is_what_holds_hold", END, placed.payment_id, "VOIDED", 0)


async def test_nothing_counts_as_captured_that_was_not_posted(bank: Bank, hand: Any) -> None:
    payer, placed = await standing(bank, captured_many_times=True)
    # Held and holds agree; only the posting is missing.
    both = """
        WITH resolved AS (UPDATE holds SET captured_minor = 4 WHERE payment_id = $1)
        UPDATE accounts SET held_minor = 6 WHERE reference = $2
    """
    await refused(hand, "holds_captured_is_posted", both, placed.payment_id, payer)


async def test_a_capture_cannot_be_posted_past_its_hold(bank: Bank, hand: Any) -> None:
    payer, placed = await standing(bank, captured_many_times=True)
    assert placed.payment_id is not None
    transaction = hand.transaction()
    await transaction.start()
    posting = await _post_by_hand(hand, payer, placed.creditor, placed.payment_id)
    assert posting
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await transaction.commit()
    assert refusal.value.constraint_name == "holds_captured_is_posted"


async def _post_by_hand(hand: Any, payer: str, payee: str, captures: UUID) -> UUID:
    posting, at = uuid4(), datetime.now(UTC)
    await hand.execute(
        "INSERT INTO postings (id, client_id, kind, payment_id, captures, posted_at) "
        "VALUES ($1, 'bank', 'capture', $2, $3, $4)",
        posting,
        uuid4(),
        captures,
        at,
    )
    for leg, (account, amount) in enumerate(((payer, -4), (payee, 4)), start=1):
        await hand.execute(
            "INSERT INTO entries (posting_id, leg, account_id, entry_number, amount_minor, "
            "balance_after_minor, currency, posted_at) "
            "SELECT $1, $2, id, version + 1, $4, posted_minor + $4, currency, $5 FROM accounts "
            "WHERE reference = $3",
            posting,
            leg,
            account,
            amount,
            at,
        )
        await hand.execute(
            "UPDATE accounts SET posted_minor = posted_minor + $2, version = version + 1 "
            "WHERE reference = $1",
            account,
            amount,
        )
    return posting


async def test_captures_cannot_pass_amount_and_tolerance(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank, tolerance_minor=2)
    await refused(hand, "holds_are_captured_within_their_limit", END, placed.payment_id, "CAPTURED", 13)


async def test_captured_money_cannot_be_taken_back(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank, captured_many_times=True)
    await bank.post(capture(placed, 4))
    statement = "UPDATE holds SET captured_minor = 3 WHERE payment_id = $1"
    await refused(hand, "holds_end_once", statement, placed.payment_id)


async def test_a_hold_ends_with_reason_and_author(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank)
    for missing in ("reason", "author", "ended_at"):
        facts = {"ended_at": "now()", "reason": "'r'", "author": "'a'"} | {missing: "NULL"}
        changes = ", ".join(f"{name} = {value}" for name, value in facts.items())
        await refused(
            hand,
            "holds_end_with_reason_and_author",
            f"UPDATE holds SET state = 'VOIDED', {changes} WHERE payment_id = $1",
            placed.payment_id,
        )


async def test_a_hold_is_captured_only_by_money(bank: Bank, hand: Any) -> None:
    _, placed = await standing(bank)
    await refused(hand, "holds_are_captured_by_money", END, placed.payment_id, "CAPTURED", 0)


async def test_a_hold_is_on_an_account_of_its_client_and_currency(bank: Bank, hand: Any) -> None:
    theirs, mine = await bank.open(balance=50, caller="other"), await bank.open(balance=50)
    both = f"WITH placed AS ({INSERT}) UPDATE accounts SET held_minor = 10 WHERE reference = $2"
    for account, currency in ((theirs, "CZK"), (mine, "EUR")):
        await refused(hand, "holds_are_on_the_clients_account", both, uuid4(), account, currency)


async def test_an_account_with_open_holds_cannot_be_closed(bank: Bank, hand: Any) -> None:
    payer = await bank.open(balance=10)
    placed = hold(payer, await bank.open(), 10, captured_many_times=True, tolerance_minor=1)
    await bank.post(placed, capture(placed, 10))
    statement = "UPDATE accounts SET state = 'CLOSED' WHERE reference = $1"
    await refused(hand, "accounts_close_without_holds", statement, payer)


@pytest.mark.parametrize("role", ["owner", "app"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM holds",
        "TRUNCATE holds CASCADE",
        *(
            f"UPDATE holds SET {column} = {column}"
            for column in (
                *("payment_id", "client_id", "account_id", "creditor", "amount_minor", "currency"),
                *("tolerance_minor", "captured_many_times", "expires_at", "conditions", "placed_at"),
            )
        ),
    ],
)
async def test_a_hold_keeps_its_facts(
    bank: Bank, account_database: ServiceDatabase, role: str, statement: str
) -> None:
    await standing(bank)
    connection = await connect(account_database.owner_url if role == "owner" else account_database.app_url)
    try:
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute(statement)
    finally:
        await connection.close()
