"""What was held of an account at any instant, and the history that tells it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any

import asyncpg
import pytest
from account_service.domain.posting import Request
from service_kit.migrations import Migrations
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, capture, hold, void

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
CHANGES, CALLS, BOUND_MS = 10_000, 100, 50
# A hold of one more, and what is held with it, by hand.
HOLD_ONE_MORE = """
    WITH placed AS (
        INSERT INTO holds (payment_id, client_id, account_id, creditor, amount_minor, currency,
            tolerance_minor, captured_many_times, expires_at, placed_at)
        VALUES (gen_random_uuid(), 'bank', $1, 'payee', 1, 'CZK', 0, false, now() + interval '1 day', $2))
    UPDATE accounts SET held_minor = held_minor + 1, updated_at = $2 WHERE id = $1
"""
# Not of accounts whose clocks went back: the order of their changes is not to be had from times.
AT_EACH_INSTANT = """
    SELECT DISTINCT ON (account_id, changed_at) account_id, changed_at, held_after_minor FROM {0} h
    WHERE account_id NOT IN (SELECT b.account_id FROM kept a JOIN kept b USING (account_id)
                             WHERE a.change_number < b.change_number AND a.changed_at > b.changed_at)
    ORDER BY account_id, changed_at, change_number DESC
"""


async def held(bank: Bank, account: str, at: datetime) -> int:
    moment = at.isoformat().replace("+00:00", "Z")
    answer = await bank.send("GET", f"/v1/accounts/{account}/balance?at={moment}", key=None)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["held_minor"])


async def account_with_holds(bank: Bank) -> str:
    """One whose holds are placed, captured in parts and beyond, given up, and due, hour after hour."""
    payer, payee = await bank.open(balance=1_000), await bank.open()
    many = hold(payer, payee, 60, captured_many_times=True, tolerance_minor=10)
    given_up, due = hold(payer, payee, 30), hold(payer, payee, 5, expires_at=NOON + 5 * HOUR)
    in_turn: Sequence[Sequence[Request]] = (
        (many, due),
        (given_up, capture(many, 20)),
        (capture(many, 15), capture(many, 5)),
        (capture(many, 25, final=True),),
        (void(given_up),),
    )
    for hours, requests in enumerate(in_turn):
        bank.clock.at = NOON + hours * HOUR
        await bank.post(*requests)
    bank.clock.at = NOON + 5 * HOUR
    assert await bank.expire() == 1
    bank.clock.at = None
    return payer


async def test_what_was_held_at_an_instant_is_told(bank: Bank) -> None:
    account = await account_with_holds(bank)
    assert await held(bank, account, NOON - TICK) == 0
    for hours, expected in enumerate((65, 75, 55, 35, 5, 0)):
        began = NOON + hours * HOUR
        assert await held(bank, account, began) == expected
        assert await held(bank, account, began + HOUR - TICK) == expected


async def test_changes_whose_times_go_back_a_little_are_all_told(bank: Bank) -> None:
    """Two processes' clocks differ: the later change bears the earlier time."""
    payer, payee = await bank.open(balance=10), await bank.open()
    for seconds in (0.0, 0.02, 0.01):
        bank.clock.at = NOON + timedelta(seconds=seconds)
        await bank.post(hold(payer, payee, 1))
    bank.clock.at = None
    assert await held(bank, payer, NOON + timedelta(seconds=0.02)) == 3


async def test_holds_of_an_earlier_release_are_given_the_history_that_they_had(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    """What the migration makes up for is what the triggers would have written."""
    await account_with_holds(bank)
    (history,) = Migrations.of("account").scripts.get_revision("0009").module.HISTORY
    connection = await connect(account_database.owner_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("ALTER TABLE held_changes RENAME TO kept")
        await connection.execute("CREATE TABLE held_changes (LIKE kept)")
        await connection.execute(history)
        told = {
            table: await connection.fetch(AT_EACH_INSTANT.format(table)) for table in ("kept", "held_changes")
        }
        assert told["held_changes"] == told["kept"]
        assert len(told["kept"]) >= 6
    finally:
        await transaction.rollback()
        await connection.close()


async def test_the_app_role_cannot_write_the_history(bank: Bank, account_database: ServiceDatabase) -> None:
    await account_with_holds(bank)
    connection = await connect(account_database.app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO held_changes "
                "SELECT account_id, change_number + 9, 0, changed_at FROM held_changes"
            )
    finally:
        await connection.close()


@pytest.fixture
async def busy(bank: Bank, account_database: ServiceDatabase) -> Any:
    """An account on which a hold was placed each minute, past none of the database's checks."""
    account = await bank.open(balance=CHANGES)
    connection = await connect(account_database.app_url)
    key = await connection.fetchval("SELECT id FROM accounts WHERE reference = $1", account)
    for first in range(0, CHANGES, 500):
        minutes = range(first, first + 500)
        # In one transaction each: of a row that is changed again and again every version is looked at.
        await connection.executemany(HOLD_ONE_MORE, [(key, NOON + n * timedelta(minutes=1)) for n in minutes])
    await connection.close()
    return account


@pytest.mark.slow
async def test_what_was_held_of_a_busy_account_is_told_in_milliseconds(
    bank: Bank, busy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    took = []
    for number in range(CHANGES - 1, 0, -CHANGES // CALLS):
        started = perf_counter()
        assert await held(bank, busy, NOON + number * timedelta(minutes=1)) == number + 1
        took.append((perf_counter() - started) * 1000)
    with capsys.disabled():
        print(f"\nheld at an instant, of {CHANGES} changes: median {median(took):.1f} ms")
    assert median(took) < BOUND_MS
