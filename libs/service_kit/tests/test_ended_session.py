"""A server that ends a session between two statements, before the connection itself is seen to end.

The driver has then read the server's goodbye as the beginning of an answer and calls its own next step wrong.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from messaging.statement import Statement
from service_kit.database import CommitOutcomeUnknown, Database, DatabaseUnavailable, is_outage
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.databases import ServiceDatabase

ASK = text("SELECT 1")
DRIVEN = Statement("SELECT 1")


class Goodbye:
    """Stands before the server and passes on what both say, but not that the server has hung up."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.passed_on = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        self._writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _join(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers += [to_client, to_server]
        await asyncio.gather(self._pass_on(from_client, to_server), self._pass_on(from_server, to_client))
        self.passed_on.set()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(65_536):
                target.write(piece)
                await target.drain()
        self.passed_on.set()


@pytest.fixture
async def goodbye(empty_database: ServiceDatabase) -> Goodbye:
    return Goodbye(make_url(empty_database.app_url).port or 0)


@pytest.fixture
async def database(empty_database: ServiceDatabase, goodbye: Goodbye) -> AsyncIterator[Database]:
    async with goodbye.listening() as port:
        url = make_url(empty_database.app_url).set(host="127.0.0.1", port=port)
        made = Database(url.render_as_string(hide_password=False), pool_size=1, command_timeout_s=0.5)
        yield made
        await made.close()


async def end_session(connection: AsyncConnection, goodbye: Goodbye, admin_url: str) -> None:
    """The session is ended, and the driver has read that it is."""
    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        async with asyncio.timeout(10):
            await goodbye.passed_on.wait()
        # Further ones of the same loop: what was passed on before them has been read by now.
        for _ in range(5):
            await admin.fetchval("SELECT 1")
    finally:
        await admin.close()


Ask = Callable[[AsyncConnection], Awaitable[None]]


async def _ask(connection: AsyncConnection) -> None:
    await connection.execute(ASK)


async def _ask_by_the_driver(connection: AsyncConnection) -> None:
    await DRIVEN.rows(connection, {})


async def _run_by_the_driver(connection: AsyncConnection) -> None:
    await DRIVEN.run(connection, {})


@pytest.mark.parametrize("ask", [_ask, _ask_by_the_driver, _run_by_the_driver])
async def test_a_statement_after_the_servers_goodbye_meets_an_outage(
    database: Database, empty_database: ServiceDatabase, goodbye: Goodbye, ask: Ask
) -> None:
    async def work() -> None:
        async with database.transaction() as connection:
            await end_session(connection, goodbye, empty_database.admin_url)
            await ask(connection)

    with pytest.raises((DatabaseUnavailable, DBAPIError)) as met:
        await work()
    assert is_outage(met.value)
    await database.ping()


async def test_a_commit_after_the_servers_goodbye_leaves_the_outcome_open(
    database: Database, empty_database: ServiceDatabase, goodbye: Goodbye
) -> None:
    with pytest.raises((DatabaseUnavailable, CommitOutcomeUnknown)):
        async with database.transaction() as connection:
            await end_session(connection, goodbye, empty_database.admin_url)
    await database.ping()


async def test_a_snapshot_after_the_servers_goodbye_meets_an_outage(
    database: Database, empty_database: ServiceDatabase, goodbye: Goodbye
) -> None:
    with pytest.raises((DatabaseUnavailable, DBAPIError)) as met:
        async with database.snapshot() as connection:
            await end_session(connection, goodbye, empty_database.admin_url)
    assert is_outage(met.value)
    await database.ping()


async def test_the_first_error_is_told_when_the_session_ends_beside_it(
    database: Database, empty_database: ServiceDatabase, goodbye: Goodbye
) -> None:
    async def work() -> None:
        async with database.transaction() as connection:
            await end_session(connection, goodbye, empty_database.admin_url)
            raise ValueError("refused by a rule")

    with pytest.raises(ValueError, match="refused by a rule"):
        await work()
    await database.ping()
