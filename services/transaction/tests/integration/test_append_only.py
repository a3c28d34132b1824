"""Records and lifecycle never change, and no illegal move can be written, whoever tries."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from testkit.databases import ServiceDatabase, connect

from .conftest import Service

TABLES = {
    "payments": "amount_minor = 1",
    "payment_events": "status = 'SETTLED'",
    "payment_batches": "refused = ''",
    "payment_metadata": "value = ''",
    "payment_voids": "reason = ''",
    "payment_refusals": "figures = ''",
    "hold_ends": "released_minor = 0",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", ["owner", "app"])
async def test_update_delete_and_truncate_are_refused(
    service: Service, transaction_database: ServiceDatabase, table: str, role: str
) -> None:
    """The app role lacks the right; the owner, who has it, meets the trigger."""
    await service.api.post(
        "/v1/payments/batches",
        headers={"Idempotency-Key": uuid4().hex},
        json={
            "payments": [
                {
                    **{"debtor": "A", "creditor": "B", "amount_minor": 5, "currency": "EUR"},
                    **{"reference": "x", "metadata": {"k": "v"}},
                }
            ]
        },
    )
    held = await service.held()
    await service.api.post(
        f"/v1/payments/{held}/void", json={"reason": "r"}, headers={"Idempotency-Key": uuid4().hex}
    )
    await service.hold_ended(held, "voided", released_minor=1250)
    await service.declined(await service.accepted(), "limit_exceeded", {"limit": 1})
    refused = (
        asyncpg.IntegrityConstraintViolationError if role == "owner" else asyncpg.InsufficientPrivilegeError
    )
    url = transaction_database.owner_url if role == "owner" else transaction_database.app_url
    connection = await connect(url)
    try:
        before = await connection.fetch(f"SELECT * FROM transaction.{table}")
        assert before
        for statement in (
            f"UPDATE {table} SET {TABLES[table]}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(refused):
                await connection.execute(statement.replace(table, f"transaction.{table}", 1))
        assert await connection.fetch(f"SELECT * FROM transaction.{table}") == before
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("standing", "status"),
    [
        ("PENDING", "SETTLED"),
        ("PENDING", "PENDING"),
        ("PENDING", "VOIDED"),
        ("SETTLED", "REJECTED"),
        ("SETTLED", "SETTLED"),
        ("REJECTED", "APPROVED"),
    ],
)
async def test_the_database_refuses_an_illegal_move(
    service: Service, transaction_database: ServiceDatabase, standing: str, status: str
) -> None:
    """Even a well-chained event is refused if the table of moves has no such move."""
    payment_id = await service.accepted()
    if standing == "SETTLED":
        await service.assessed(payment_id)
        await service.posted(payment_id)
    if standing == "REJECTED":
        await service.assessed(payment_id, "decline")
    last = (await service.get(payment_id))["lifecycle"][-1]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await _insert(
            transaction_database, payment_id, last["sequence"] + 1, status, bytes.fromhex(last["hash"])
        )


async def test_the_database_refuses_an_event_that_breaks_the_chain(
    service: Service, transaction_database: ServiceDatabase
) -> None:
    """Wrong previous hash, a gap, a second first event, an event of no payment."""
    payment_id = await service.accepted()
    last = bytes.fromhex((await service.get(payment_id))["lifecycle"][-1]["hash"])
    for sequence, previous in ((2, bytes(32)), (3, last)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await _insert(transaction_database, payment_id, sequence, "APPROVED", previous)
    with pytest.raises(asyncpg.UniqueViolationError):
        await _insert(transaction_database, payment_id, 1, "PENDING", last)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await _insert(transaction_database, str(uuid4()), 1, "PENDING", bytes(32))


async def _insert(
    database: ServiceDatabase, payment_id: str, sequence: int, status: str, previous: bytes
) -> None:
    connection = await connect(database.app_url)
    try:
        await connection.execute(
            "INSERT INTO payment_events (payment_id, sequence, status, occurred_at, previous_hash, hash)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            UUID(payment_id),
            sequence,
            status,
            datetime.now(UTC),
            previous,
            hashlib.sha256(b"any").digest(),
        )
    finally:
        await connection.close()
