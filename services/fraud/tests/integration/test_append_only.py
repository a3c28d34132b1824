"""What was decided stays: neither the owner nor the app role can change or remove it."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from contracts.messages import PaymentInitiated
from messaging.event import Event
from service_kit.migrations import Migrations
from testkit.databases import ServiceDatabase, connect

MakePayment = Callable[..., Event[PaymentInitiated]]
TABLES = {"rule_sets": "author", "decisions": "decision", "review_resolutions": "reason"}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", ["owner", "app"])
async def test_update_delete_and_truncate_are_refused(
    fraud: Any,
    fraud_database: ServiceDatabase,
    make_payment: MakePayment,
    as_caller: Any,
    table: str,
    role: str,
) -> None:
    event = make_payment(amount_minor=1_000_000)
    await fraud.deliver(event)
    async with as_caller("bank") as bank:
        resolved = await bank.post(
            f"/v1/reviews/{event.data.payment_id}/decision",
            json={"decision": "approve", "reason": "Known"},
            headers={"idempotency-key": str(event.id)},
        )
        assert resolved.status_code == 200
    expected = (
        asyncpg.IntegrityConstraintViolationError if role == "owner" else asyncpg.InsufficientPrivilegeError
    )
    connection = await connect(fraud_database.owner_url if role == "owner" else fraud_database.app_url)
    try:
        before = await connection.fetch(f"SELECT * FROM {table}")
        assert before
        for statement in (
            f"UPDATE {table} SET {TABLES[table]} = 'decline'",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(expected):
                await connection.execute(statement)
        assert await connection.fetch(f"SELECT * FROM {table}") == before
    finally:
        await connection.close()


async def test_migrating_twice_changes_nothing(fraud: Any, fraud_database: ServiceDatabase) -> None:
    before = await fraud.rows("SELECT * FROM rule_sets")
    assert await Migrations.of("fraud").run(fraud_database.owner_url) == "0003"
    assert await fraud.rows("SELECT * FROM rule_sets") == before
