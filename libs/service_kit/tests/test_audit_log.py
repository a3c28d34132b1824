"""Entries are written with what they tell, sealed into one chain, and never altered."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from service_kit.audit import Entry, Origin, chain, record
from service_kit.audit.sealing import AuditSealer, head, seal
from service_kit.database import Database
from sqlalchemy.exc import DBAPIError
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase
from testkit.databases import connect as connect_outside
from testkit.waiting import eventually

SERVICE = "fraud"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WRITERS = 200
ORIGIN = Origin(
    client_id="demo",
    actor="client:demo",
    credential="key:abcdefgh",
    request_id="r-1",
    trace_id="0" * 31 + "1",
    address="192.0.2.1",
)


def change(subject: str = "a-1", **fields: Any) -> Entry:
    facts: dict[str, Any] = {"action": "account.state-changed", "subject_type": "account"} | fields
    return Entry(subject=subject, **facts)


@pytest.fixture
async def database(database_for: Callable[[str], ServiceDatabase]) -> AsyncIterator[Database]:
    made = Database(database_for(SERVICE).app_url, pool_size=20)
    await seal_all(made)
    yield made
    await made.close()


@pytest.fixture
async def admin(
    database_for: Callable[[str], ServiceDatabase],
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await connect_outside(database_for(SERVICE).admin_url)
    yield connection
    await connection.close()


async def write(database: Database, *entries: Entry, origin: Origin = ORIGIN) -> None:
    async with database.transaction() as connection:
        await record(connection, origin, *entries, at=NOON)


async def seal_all(database: Database) -> int:
    async with database.transaction() as connection:
        return await seal(connection, SERVICE, at=NOON)


async def walk(admin: "asyncpg.Connection[asyncpg.Record]") -> chain.Head:
    """The head of the chain, every link of which is recomputed."""
    last = chain.beginning(SERVICE)
    for row in await admin.fetch(chain.SEALED.format(schema=SERVICE)):
        assert chain.fault(last, row) is None
        last = chain.Head(row["position"], row["hash"])
    return last


async def test_an_entry_tells_who_what_why_and_from_where(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await write(
        database, change("told", before={"state": "OPEN"}, after={"state": "FROZEN"}, reason="asked for")
    )
    row = await admin.fetchrow("SELECT * FROM fraud.audit_entries WHERE subject = 'told'")
    assert row is not None
    told = dict(row)
    assert told.pop("id") > 0
    assert told == {
        "at": NOON,
        "client_id": "demo",
        "by_client_id": "demo",
        "actor": "client:demo",
        "credential": "key:abcdefgh",
        "action": "account.state-changed",
        "subject_type": "account",
        "subject": "told",
        "before": '{"state": "OPEN"}',
        "after": '{"state": "FROZEN"}',
        "reason": "asked for",
        "request_id": "r-1",
        "trace_id": "0" * 31 + "1",
        "address": "192.0.2.1",
    }


async def test_an_entry_stands_or_falls_with_what_it_tells(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as connection:
            await record(connection, ORIGIN, change("fallen"), at=NOON)
            raise RuntimeError("not after all")

    with pytest.raises(RuntimeError, match="after all"):
        await write_and_fail()
    assert await admin.fetchval("SELECT count(*) FROM fraud.audit_entries WHERE subject = 'fallen'") == 0
    assert await admin.fetchval("SELECT count(*) FROM fraud.audit_unsealed") == 0


async def test_what_a_service_does_by_itself_is_done_to_some_client(database: Database) -> None:
    with pytest.raises(ValueError, match="say whose"):
        await write(database, change(), origin=Origin.of_service(SERVICE))
    await write(database, change(client_id="demo"), origin=Origin.of_service(SERVICE))


def test_an_action_is_dotted() -> None:
    with pytest.raises(ValueError, match="not an action"):
        change(action="Changed it")


async def test_two_hundred_writers_at_once_come_into_one_unbroken_chain(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    begun = (await walk(admin)).position
    clock = StillClock()
    sealers = [AuditSealer(SERVICE, transaction=database.transaction, clock=clock) for _ in range(4)]
    writing = asyncio.gather(
        *(write(database, *(change(f"w-{n}-{i}") for i in range(1 + n % 3))) for n in range(WRITERS))
    )
    while not writing.done():
        await asyncio.gather(*(sealer.round() for sealer in sealers))
    await writing
    await eventually(lambda: _sealed(sealers[0], admin))
    written = sum(1 + n % 3 for n in range(WRITERS))
    assert (await walk(admin)).position == begun + written
    assert (
        await admin.fetchval("SELECT count(*) FROM fraud.audit_entries WHERE subject LIKE 'w-%'") == written
    )


async def _sealed(sealer: AuditSealer, admin: "asyncpg.Connection[asyncpg.Record]") -> bool:
    await sealer.round()
    return not await admin.fetchval("SELECT count(*) FROM fraud.audit_unsealed")


async def test_one_seals_at_a_time(database: Database) -> None:
    await write(database, change())
    async with database.transaction() as first:
        assert await seal(first, SERVICE, at=NOON) == 1
        async with database.transaction() as second:
            assert await seal(second, SERVICE, at=NOON) == 0


async def test_a_stranger_can_recompute_a_hash(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """From the documents alone: nothing of ours is called."""
    await write(
        database, change("ž-1", after={"state": "FROZEN", "amount_minor": 2**53}, reason='"quoted" \u2028')
    )
    async with database.transaction() as connection:
        before = await head(connection, SERVICE)
        await seal(connection, SERVICE, at=NOON)
        after = await head(connection, SERVICE)
    number = await admin.fetchval(
        "SELECT entry_id FROM fraud.audit_seals WHERE position = $1", after.position
    )
    form = {
        "id": number,
        "at": "2026-11-20T12:00:00.000000Z",
        "client_id": "demo",
        "by_client_id": "demo",
        "actor": "client:demo",
        "credential": "key:abcdefgh",
        "action": "account.state-changed",
        "subject_type": "account",
        "subject": "ž-1",
        "before": None,
        "after": {"amount_minor": 2**53, "state": "FROZEN"},
        "reason": '"quoted" \u2028',
        "request_id": "r-1",
        "trace_id": "0" * 31 + "1",
        "address": "192.0.2.1",
        "position": before.position + 1,
        "previous_hash": before.hash.hex(),
    }
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert after.hash == hashlib.sha256(b"florin-audit-v1\n" + text.encode()).digest()
    assert chain.beginning("fraud").hash == hashlib.sha256(b"florin-audit-v1\nfraud").digest()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fraud.audit_entries SET reason = 'other'",
        "DELETE FROM fraud.audit_entries",
        "TRUNCATE fraud.audit_entries CASCADE",
        "UPDATE fraud.audit_seals SET hash = sha256('')",
        "DELETE FROM fraud.audit_seals",
        "TRUNCATE fraud.audit_seals CASCADE",
    ],
)
async def test_nobody_alters_the_log(
    database: Database, database_for: Callable[[str], ServiceDatabase], statement: str
) -> None:
    await write(database, change())
    await seal_all(database)
    described = database_for(SERVICE)
    for url, refusal in (
        (described.app_url, asyncpg.InsufficientPrivilegeError),
        (described.owner_url, asyncpg.IntegrityConstraintViolationError),
    ):
        connection = await connect_outside(url)
        try:
            with pytest.raises(refusal):
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.mark.parametrize("ahead", [0, 2], ids=["at a place that is taken", "beyond a gap"])
async def test_a_seal_stands_next_to_the_one_before(database: Database, ahead: int) -> None:
    await write(database, change(), change())
    async with database.transaction() as connection:
        await seal(connection, SERVICE, at=NOON, limit=1)
        last = await head(connection, SERVICE)
    with pytest.raises(DBAPIError, match="audit_seals"):
        async with database.transaction() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO audit_seals (position, entry_id, hash, sealed_at) "
                f"SELECT {last.position + ahead}, entry_id, sha256(''), now() FROM audit_unsealed LIMIT 1"
            )


async def test_what_is_written_until_the_end_is_sealed_before_it(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    sealer = AuditSealer(SERVICE, transaction=database.transaction, clock=StillClock())
    running = asyncio.create_task(sealer.run())
    await write(database, change("early"))
    await eventually(lambda: _is_sealed(admin, "early"))
    await write(database, change("late"))
    sealer.stop()
    await running
    assert await _is_sealed(admin, "late")


async def _is_sealed(admin: "asyncpg.Connection[asyncpg.Record]", subject: str) -> bool:
    sealed = (
        "SELECT EXISTS (SELECT FROM fraud.audit_seals s JOIN fraud.audit_entries e ON e.id = s.entry_id "
        "WHERE e.subject = $1)"
    )
    return bool(await admin.fetchval(sealed, subject))
