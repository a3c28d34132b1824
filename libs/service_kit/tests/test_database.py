"""What a caller may rely on when the database refuses, goes away, or is cut off in the middle of a COMMIT."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from service_kit.database import (
    CommitOutcomeUnknown,
    Database,
    DatabaseUnavailable,
    create_engine,
    is_outage,
    sqlstate,
)
from service_kit.database_server import ServerRefused
from service_kit.telemetry.logs import redact
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.databases import ServiceDatabase
from testkit.waiting import eventually

TABLES = """
SET search_path = transaction;
CREATE TABLE notes (number int PRIMARY KEY);
GRANT SELECT, INSERT ON notes TO transaction_app;
-- At COMMIT: -1 is refused, -2 ends the session before the transaction is durable, as a killed server would.
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.number = -1 THEN RAISE check_violation USING MESSAGE = 'no such number'; END IF;
  IF NEW.number = -2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
  RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER judged AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION judge();
"""
INSERT = text("INSERT INTO notes VALUES (:number)")


@pytest.fixture(scope="module")
async def tables(empty_database: ServiceDatabase) -> ServiceDatabase:
    owner = await asyncpg.connect(empty_database.owner_url)
    await owner.execute(TABLES)
    await owner.close()
    return empty_database


@pytest.fixture(scope="module")
async def admin(tables: ServiceDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(tables.admin_url)
    yield connection
    await connection.close()


@pytest.fixture
async def database(tables: ServiceDatabase) -> AsyncIterator[Database]:
    made = Database(tables.app_url, pool_size=3)
    yield made
    await made.close()


async def numbers(database: Database) -> set[int]:
    async with database.snapshot() as connection:
        return set((await connection.scalars(text("SELECT number FROM notes"))).all())


async def run_one(database: Database, statement: TextClause, parameters: dict[str, object]) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement, parameters)


async def backend_of(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)


async def end_session(admin: "asyncpg.Connection[asyncpg.Record]", pid: int) -> None:
    await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)


async def test_a_block_that_ends_well_is_committed_and_then_told(tables: ServiceDatabase) -> None:
    told: list[bool] = []
    database = Database(
        tables.app_url, after_commit=lambda connection: told.append(connection.in_transaction())
    )
    async with database.transaction() as connection:
        await connection.execute(INSERT, {"number": 1})
        assert told == []
    assert told == [False]
    assert 1 in await numbers(database)
    await database.close()


async def test_a_block_that_raises_or_is_cancelled_leaves_nothing_and_gives_its_connection_back(
    database: Database,
) -> None:
    async def fails() -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": 2})
            raise LookupError

    with pytest.raises(LookupError):
        await fails()
    assert 2 not in await numbers(database)

    async def never_ends() -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": 2})
            await connection.execute(text("SELECT pg_sleep(60)"))

    for _ in range(5):  # more often than the pool has connections
        task = asyncio.create_task(never_ends())
        await eventually(lambda: database.pool_in_use() == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert database.pool_in_use() == 0
    assert 2 not in await numbers(database)


async def test_cancelled_at_any_point_it_leaves_a_connection_that_works(database: Database) -> None:
    async def writes() -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": 3})
            raise LookupError

    ended_by_itself = False
    for turns in itertools.count():
        task = asyncio.create_task(writes())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, LookupError | asyncio.CancelledError)
        assert database.pool_in_use() == 0
        assert 3 not in await numbers(database)
        if ended_by_itself:
            break
        ended_by_itself = isinstance(outcome, LookupError)


async def test_what_the_server_refuses_at_commit_is_a_definite_refusal(database: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": -1})
    assert sqlstate(refused.value) == "23514"
    assert not is_outage(refused.value)
    assert -1 not in await numbers(database)


async def test_a_connection_lost_during_commit_has_an_unknown_outcome(database: Database) -> None:
    with pytest.raises(CommitOutcomeUnknown) as unknown:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": -2})
    assert is_outage(unknown.value)
    assert -2 not in await numbers(database)


async def test_a_connection_lost_before_commit_is_an_outage_and_nothing_was_done(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def loses_its_connection() -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"number": 3})
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await end_session(admin, await backend_of(connection))
            await eventually(raw.is_closed)

    with pytest.raises(DatabaseUnavailable):
        await loses_its_connection()
    assert 3 not in await numbers(database)


async def test_a_statement_on_a_lost_connection_is_an_outage(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def loses_its_connection() -> None:
        async with database.transaction() as connection:
            await end_session(admin, await backend_of(connection))
            await connection.execute(INSERT, {"number": 4})

    with pytest.raises((DBAPIError, DatabaseUnavailable)) as lost:
        await loses_its_connection()
    assert is_outage(lost.value)


async def test_idle_connections_that_the_server_closed_are_replaced_without_an_error(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def hold(together: asyncio.Barrier) -> tuple[int, Any]:
        async with database.transaction() as connection:
            found = await backend_of(connection)
            await together.wait()
            return found, (await connection.get_raw_connection()).driver_connection

    barrier = asyncio.Barrier(3)
    before = dict(await asyncio.gather(*(hold(barrier) for _ in range(3))))
    for backend in before:
        await end_session(admin, backend)
    await eventually(lambda: all(driver.is_closed() for driver in before.values()))
    after = dict(await asyncio.gather(*(hold(barrier) for _ in range(3))))
    assert len(before) == len(after) == 3
    assert not before.keys() & after.keys()


async def test_a_snapshot_sees_one_instant_and_cannot_write(database: Database) -> None:
    async with database.snapshot() as reader:
        first = await reader.scalar(text("SELECT count(*) FROM notes"))
        async with database.transaction() as writer:
            await writer.execute(INSERT, {"number": 5})
        assert await reader.scalar(text("SELECT count(*) FROM notes")) == first
        with pytest.raises(DBAPIError, match="read-only"):
            await reader.execute(INSERT, {"number": 6})
    # The connection goes back as it came: the next one writes.
    async with database.transaction() as writer:
        await writer.execute(INSERT, {"number": 7})


async def test_a_full_pool_and_a_server_that_is_not_there_are_outages(
    tables: ServiceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.database.CHECKOUT_TIMEOUT_S", 0.1)
    small = Database(tables.app_url, pool_size=1)
    async with small.transaction():
        with pytest.raises(DatabaseUnavailable):
            async with small.transaction():
                pass
    await small.close()
    nowhere = Database("postgresql://a:b@127.0.0.1:1/x")
    with pytest.raises(DatabaseUnavailable, match="no connection"):
        await nowhere.ping()


async def test_a_lock_held_too_long_and_a_statement_that_is_cancelled_are_outages(database: Database) -> None:
    lock = text("SELECT pg_advisory_xact_lock(1)")

    async def wait_for_it(limit: str) -> None:
        async with database.transaction() as waiting:
            await waiting.execute(text(limit))
            await waiting.execute(lock)

    async with database.transaction() as holder:
        await holder.execute(lock)
        for limit in ("SET LOCAL lock_timeout = '20ms'", "SET LOCAL statement_timeout = '20ms'"):
            with pytest.raises(DBAPIError) as late:
                await wait_for_it(limit)
            assert is_outage(late.value)


async def test_a_log_line_of_a_database_error_quotes_no_value(database: Database) -> None:
    statements = (
        text("SELECT CAST(:secret AS int)"),  # refused by the driver
        text("SELECT CAST(CAST(:secret AS text) AS int)"),  # refused by the server
        text("INSERT INTO notes SELECT 1 FROM (SELECT CAST(:secret AS text)) AS quoted"),
    )
    for statement in statements:
        with pytest.raises(DBAPIError) as error:
            await run_one(database, statement, {"secret": "4711 and Ada"})
        shown = redact(f"{error.value} {error.value.orig}")
        assert "4711" not in shown
        assert "(number)" not in shown


async def test_the_services_role_is_accepted_and_a_superuser_is_not(
    database: Database, tables: ServiceDatabase
) -> None:
    await database.refuse_superuser()
    mighty = Database(tables.admin_url)
    with pytest.raises(ServerRefused, match="superuser"):
        await mighty.refuse_superuser()
    await mighty.close()


async def test_this_server_is_accepted_and_one_that_may_forget_is_not(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]", tables: ServiceDatabase
) -> None:
    await database.verify_server()
    scope = f"ALTER ROLE transaction_app IN DATABASE {tables.name}"
    await admin.execute(f"{scope} SET synchronous_commit = off")
    try:
        careless = Database(tables.app_url)
        with pytest.raises(ServerRefused, match="synchronous_commit"):
            await careless.verify_server()
        await careless.close()
    finally:
        await admin.execute(f"{scope} RESET synchronous_commit")


def test_tls_is_told_by_the_url_as_libpq_has_it() -> None:
    engine = create_engine("postgres://u:p@h:5/db?sslmode=require")
    assert (engine.url.drivername, dict(engine.url.query)) == ("postgresql+asyncpg", {})
    with pytest.raises(ValueError, match="sslmode 'sometimes' is unknown"):
        create_engine("postgresql://u:p@h/db?sslmode=sometimes")
    with pytest.raises(ValueError, match="postgresql://"):
        create_engine("mysql://u:p@h/db")
