"""Postgres through one pool: transactions that commit before they answer, and snapshots that only read.

Core on asyncpg, no ORM session. What a caller must be able to tell apart is told apart by type:
`DatabaseUnavailable` (nothing was done), `CommitOutcomeUnknown` (nobody can say), any other (the server
refused).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy
from messaging import notes
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service_kit import database_server
from service_kit.database_tls import TLS_WORDS, connect_by_tls
from service_kit.telemetry.traces import database_span

CONNECT_TIMEOUT_S = 5.0
CHECKOUT_TIMEOUT_S = 5.0
# Longer than the server's statement_timeout (30 s), so that the server's own, clearer refusal comes first.
COMMAND_TIMEOUT_S = 35.0

# SQLSTATEs that say the server or the connection is gone or has no room: a later retry may well succeed.
_OUTAGE_CLASSES = ("08", "53", "57P", "58")
# Locks, deadlocks, serialization and cancelled statements: the transaction was rolled back, a retry is right.
_RETRYABLE = frozenset({"40001", "40P01", "55P03", "57014", "25P03"})
# At COMMIT these leave it open whether the server had already made the transaction durable.
_UNKNOWN_AT_COMMIT = ("08", "57P", "58", "40003", "XX")
# The driver's word for a server that has said goodbye between two statements: it waits for the rest of an
# answer that will not come. SQLAlchemy lets it pass as it is.
_Broken = asyncpg.InternalClientError
_LOST = (DBAPIError, OSError, TimeoutError, _Broken)

# Every statement looks up a bounded set of rows by an index. For a batch of a thousand look-ups the planner,
# which reckons with a spinning disk, would rather read a whole table and hash or merge it; and a plan made
# while a table was small would go on reading it whole after it has grown. JIT costs more than it gives on
# statements of a millisecond. They are asked for at connecting, and set on the roles as well, for a pooler
# that gives a connection to many clients in turn passes no such wish on.
PLANNING = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}


class DatabaseUnavailable(ConnectionError):
    """No connection to the database could be had, or it was lost before COMMIT was sent: nothing was done."""


class CommitOutcomeUnknown(ConnectionError):
    """The connection was lost during COMMIT: the transaction may or may not stand. Look it up by its key."""


class Database:
    """One pool of connections to one service's schema, as that service's app role."""

    def __init__(
        self,
        url: str | SecretStr,
        *,
        after_commit: Callable[[AsyncConnection], None] | None = None,
        pool_size: int = 10,
        application_name: str = "florin",
        command_timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> None:
        self._after_commit = after_commit
        self._name = application_name
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            application_name=application_name,
            command_timeout_s=command_timeout_s,
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._snapshot_engine = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose work is committed when the block ends well and rolled back when it raises.

        `after_commit(connection)` runs after the commit and before the connection returns to the pool.
        Raises `DatabaseUnavailable` or `CommitOutcomeUnknown`; what the block raises passes unchanged, but
        for a TimeoutError, which is what the driver raises when the server says nothing.
        """
        async with self._connected(self.engine) as connection:
            notes.drop(connection)
            async with _rolled_back_on_error(connection):
                yield connection
            await _commit(connection)
            if self._after_commit is not None:
                self._after_commit(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A read-only connection on which every statement sees the same instant (REPEATABLE READ)."""
        async with self._connected(self._snapshot_engine) as connection, _rolled_back_on_error(connection):
            yield connection
            await connection.rollback()

    async def ping(self) -> None:
        """Returns when the database answers; raises when it does not."""
        async with self.snapshot() as connection:
            await connection.execute(sqlalchemy.text("SELECT 1"))

    async def verify_server(self) -> None:
        """Raises `ServerRefused` unless the server is PostgreSQL 15..18 and keeps what it has committed."""
        async with self.snapshot() as connection:
            await database_server.verify(connection)

    async def refuse_superuser(self) -> None:
        """Raises `ServerRefused` when the role may do anything: no trigger and no grant would hold it."""
        async with self.snapshot() as connection:
            await database_server.refuse_superuser(connection)

    def pool_in_use(self) -> int:
        """How many connections are checked out at this moment."""
        return int(self.engine.pool.checkedout())  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Closes every connection of the pool."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with database_span(self._name, "transaction" if engine is self.engine else "snapshot"):
            connection = engine.connect()
            try:
                await connection.start()
            except (OSError, TimeoutError, PoolTimeout, DBAPIError) as error:
                raise DatabaseUnavailable(f"no connection to the database: {type(error).__name__}") from error
            try:
                await _begin(connection)
                yield connection
            finally:
                if connection.in_transaction():
                    await _to_its_end(_give_back(connection))
                else:
                    # Nothing is left to be said to the server, and so nothing to wait for.
                    await _give_back(connection)


def create_engine(
    url: str | SecretStr,
    *,
    pool_size: int = 10,
    application_name: str = "florin",
    command_timeout_s: float | None = COMMAND_TIMEOUT_S,
) -> AsyncEngine:
    """The engine every process uses: bounded pool, bounded waits, no parameter ever printed in an error."""
    address, tls = _driver_url(url.get_secret_value() if isinstance(url, SecretStr) else url)
    engine = create_async_engine(
        address,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CHECKOUT_TIMEOUT_S,
        pool_use_lifo=True,
        pool_pre_ping=False,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout_s,
            "prepared_statement_cache_size": 500,
            "server_settings": {"application_name": application_name, **PLANNING},
        },
    )
    connect_by_tls(engine.sync_engine, tls)
    return engine


def is_outage(error: BaseException) -> bool:
    """Whether a retry later may succeed: no connection, a full pool, a timeout, a lost race for a lock."""
    if isinstance(error, DBAPIError):
        state = sqlstate(error)
        if error.connection_invalidated or state is None:
            return error.connection_invalidated
        return state in _RETRYABLE or state.startswith(_OUTAGE_CLASSES)
    return isinstance(error, DatabaseUnavailable | CommitOutcomeUnknown | PoolTimeout)


def sqlstate(error: DBAPIError) -> str | None:
    """The five characters by which Postgres names the error, if the server said any."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state if isinstance(state, str) else None


async def _begin(connection: AsyncConnection) -> None:
    """Begin at once and by the driver. Left to itself SQLAlchemy begins with the first statement, which then
    takes the long way through a greenlet: half of what a short transaction costs."""
    pooled = connection.sync_connection
    assert pooled is not None, "a started connection"
    pooled.begin()
    try:
        await pooled.connection.dbapi_connection._start_transaction()  # type: ignore[union-attr]
    except BaseException as error:
        # Also when cancelled: nobody knows whether the server has begun one.
        await _to_its_end(connection.invalidate(error))
        if isinstance(error, Exception):
            raise DatabaseUnavailable(f"cannot begin a transaction: {type(error).__name__}") from error
        raise


async def _commit(connection: AsyncConnection) -> None:
    if _is_closed(connection):
        await connection.invalidate()
        raise DatabaseUnavailable("the connection was lost before COMMIT: nothing was done")
    try:
        await connection.commit()
    except DBAPIError as error:
        state = sqlstate(error)
        if state is not None and not state.startswith(_UNKNOWN_AT_COMMIT):
            raise  # the server answered, and what it answers this way it has rolled back
        await connection.invalidate(error)
        raise CommitOutcomeUnknown("the connection was lost during COMMIT") from error
    except (OSError, TimeoutError, _Broken) as error:
        await connection.invalidate(error)
        raise CommitOutcomeUnknown("no answer to COMMIT") from error


@asynccontextmanager
async def _rolled_back_on_error(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as error:
        # The server was asked and said nothing: on this connection nothing will come any more, and a
        # ROLLBACK would be waited for as long again.
        await connection.invalidate(error)
        raise DatabaseUnavailable("no answer from the database in time: nothing was done") from error
    except _Broken as error:
        await connection.invalidate(error)
        raise DatabaseUnavailable("the server ended the session: nothing was done") from error
    except BaseException:
        await _to_its_end(_roll_back(connection))
        raise


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it whole: a request that is cancelled meanwhile must still leave a connection that works, and what
    comes after must not begin before it has ended."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _roll_back(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except _LOST as error:
        # The first error is the one to tell; a connection that cannot roll back must not be used again.
        await connection.invalidate(error)


async def _give_back(connection: AsyncConnection) -> None:
    try:
        await connection.close()
    except _LOST as error:
        # It ended under us. What is told of it has been told already, or did not matter; the pool must know.
        await connection.invalidate(error)
        await connection.close()


def _is_closed(connection: AsyncConnection) -> bool:
    if connection.invalidated:
        return True
    pooled = connection.sync_connection
    driver = pooled.connection.driver_connection if pooled is not None else None
    return driver is None or bool(driver.is_closed())


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """At checkout: a connection whose socket has ended is replaced, without a round trip for the good
    ones."""
    if dbapi_connection.driver_connection.is_closed():
        # One dead connection most often means a restarted server: drop all the older ones with it.
        raise InvalidatePoolError("connection closed by the server")


def _driver_url(url: str) -> tuple[URL, dict[str, Any]]:
    address = make_url(url)
    if address.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError("the database URL must begin with postgresql://")
    tls = {word: told for word, told in address.query.items() if word in TLS_WORDS}
    return address.difference_update_query(tls).set(drivername="postgresql+asyncpg"), tls
