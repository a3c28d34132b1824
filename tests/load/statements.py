"""What Postgres was asked to do for a payment, by pg_stat_statements; loaded at the server's start and off
except while it is looked at, so that it costs the other phases nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from florin.backing.kind import BackingService
from florin.provision import DATABASE, connect

LIBRARY = "pg_stat_statements"
SHOWN = 15
# Those of the services: the bench itself asks as the superuser.
_OURS = f"""
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
    WHERE d.datname = '{DATABASE}' AND r.rolname LIKE '%\\_app'
"""
_COUNT = "SELECT coalesce(sum(s.calls), 0)::bigint " + _OURS
_TOP = (
    "SELECT r.rolname AS role, s.calls, s.total_exec_time AS ms, s.rows, left(s.query, 160) AS query "
    + _OURS
    + f" ORDER BY s.total_exec_time DESC LIMIT {SHOWN}"
)


@dataclass
class Statements:
    """How many there were, and those that took longest."""

    count: int = 0
    top: list[dict[str, object]] = field(default_factory=list)


async def install(postgres: BackingService) -> None:
    """Has the server load the library, switched off; to be called before anything else uses the server."""
    postgres.start()
    connection = await connect(postgres.url)
    try:
        await connection.execute(f"ALTER SYSTEM SET shared_preload_libraries = '{LIBRARY}'")
        await connection.execute("ALTER SYSTEM SET pg_stat_statements.track = 'none'")
        # Always: a statement prepared without its id would never be counted. pgbench goes without.
        await connection.execute("ALTER SYSTEM SET compute_query_id = 'on'")
    finally:
        await connection.close()
    postgres.stop()


@asynccontextmanager
async def counted(admin_url: str) -> AsyncIterator[Statements]:
    """Counts during the block; the figures are there at its end. Raises asyncpg.PostgresError where the
    server has not loaded the library."""
    connection = await connect(admin_url)
    found = Statements()
    try:
        await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {LIBRARY}")
        await connection.execute("SELECT pg_stat_statements_reset()")
        await _track(connection, "top")
        try:
            yield found
            found.count = await connection.fetchval(_COUNT)
            found.top = [
                {**dict(row), "ms": round(row["ms"], 1), "query": " ".join(row["query"].split())}
                for row in await connection.fetch(_TOP)
            ]
        finally:
            await _track(connection, "none")
    finally:
        await connection.close()


async def _track(connection: "asyncpg.Connection[asyncpg.Record]", what: str) -> None:
    await connection.execute(f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
    await connection.execute("SELECT pg_reload_conf()")
