"""What the ledger has written stays: neither the app role nor the owner can change, remove or empty it."""

from typing import Any

import asyncpg
import pytest
from service_kit.migrations import Migrations
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, hold, transfer
from .people import register

TABLES = {
    "postings": "kind = 'deposit'",
    "entries": "amount_minor = 1",
    "posting_declines": "code = 'none'",
    "account_state_changes": "reason = 'none'",
    "account_overdraft_changes": "reason = 'none'",
    "held_changes": "held_after_minor = 0",
    "customer_kyc_events": "author = 'none'",
    "customer_accounts": "currency = 'XXX'",
    "idempotency_keys": "operation = 'none'",
    "limit_changes": "reason = 'none'",
    "account_time_zone_changes": "reason = 'none'",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", ["owner", "app"])
async def test_update_delete_and_truncate_are_refused(
    bank: Bank, account_database: ServiceDatabase, table: str, role: str
) -> None:
    payer = await bank.open(balance=100)
    await bank.post(
        transfer(payer, await bank.open()), transfer(payer, "nobody"), hold(payer, await bank.open())
    )
    await bank.send("PUT", f"/v1/accounts/{payer}/limits", {"daily_count": 9, "reason": "Test"})
    zone = {"time_zone": "Europe/Prague", "reason": "Test"}
    await bank.send("PUT", f"/v1/accounts/{payer}/time-zone", zone)
    customer = await register(bank)
    await bank.send("POST", f"/v1/customers/{customer['id']}/kyc", {"level": "basic"})
    body = {"overdraft_minor": 5, "reason": "Agreed"}
    assert (await bank.send("PUT", f"/v1/accounts/{payer}/overdraft", body, key=None)).status_code == 200
    expected = (
        asyncpg.IntegrityConstraintViolationError if role == "owner" else asyncpg.InsufficientPrivilegeError
    )
    connection = await connect(account_database.owner_url if role == "owner" else account_database.app_url)
    try:
        before = await connection.fetch(f"SELECT * FROM {table}")
        assert before, "a refusal on an empty table would prove nothing"
        for statement in (
            f"UPDATE {table} SET {TABLES[table]}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(expected):
                await connection.execute(statement)
        assert await connection.fetch(f"SELECT * FROM {table}") == before
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["owner", "app"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM accounts",
        "TRUNCATE accounts CASCADE",
        "UPDATE accounts SET reference = 'other'",
        "UPDATE accounts SET client_id = 'other'",
        "UPDATE accounts SET currency = 'EUR'",
        "UPDATE accounts SET kind = 'system'",
        "DELETE FROM customers",
        "TRUNCATE customers CASCADE",
        "UPDATE customers SET client_id = 'other'",
        "DELETE FROM account_holders",
        "TRUNCATE account_holders",
    ],
)
async def test_an_account_keeps_its_identity(
    bank: Bank, account_database: ServiceDatabase, role: str, statement: str
) -> None:
    await bank.open()
    await register(bank)
    connection = await connect(account_database.owner_url if role == "owner" else account_database.app_url)
    try:
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_app_role_cannot_rename_a_holder(bank: Bank, account_database: ServiceDatabase) -> None:
    await bank.open()
    connection = await connect(account_database.app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE accounts SET holder = 'Somebody else'")
    finally:
        await connection.close()


async def test_migrating_twice_changes_nothing(bank: Bank, account_database: ServiceDatabase) -> None:
    await bank.open(balance=5)
    before: list[Any] = await bank.rows("SELECT * FROM entries ORDER BY posting_id, leg")
    assert await Migrations.of("account").run(account_database.owner_url) == "0012"
    assert await bank.rows("SELECT * FROM entries ORDER BY posting_id, leg") == before
