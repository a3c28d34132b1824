"""Provisioning makes the same roles, schemas and rights whether it runs once or twice."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from florin import provision
from florin.services import PROCESSES
from service_kit.database import PLANNING
from testkit.backing import Backing
from testkit.databases import ServiceDatabase, connect

RIGHTS = """
SELECT 'schema', nspname::text, nspowner::regrole::text, nspacl::text FROM pg_namespace
 WHERE nspname = ANY($1)
UNION ALL
SELECT 'role', rolname::text, rolconfig::text, concat(rolsuper, rolcreatedb, rolcreaterole, rolcanlogin)
  FROM pg_roles WHERE rolname = ANY($2)
UNION ALL
SELECT 'database', datname::text, NULL, datacl::text FROM pg_database WHERE datname = current_database()
ORDER BY 1, 2
"""


@pytest.fixture
async def admin(empty_database: ServiceDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await connect(empty_database.admin_url)
    yield connection
    await connection.close()


async def test_a_second_provisioning_changes_nothing(
    admin: "asyncpg.Connection[asyncpg.Record]", backing: Backing, empty_database: ServiceDatabase
) -> None:
    schemas = list(PROCESSES)
    before = await admin.fetch(RIGHTS, schemas, provision.role_names())
    await provision.provision(
        backing.database_admin_url, passwords=backing.credentials.roles, database=empty_database.name
    )
    after = await admin.fetch(RIGHTS, schemas, provision.role_names())
    assert after == before
    assert len(before) == len(schemas) + len(provision.role_names()) + 1


async def test_a_role_of_one_service_sees_no_other_schema(empty_database: ServiceDatabase) -> None:
    app = await connect(empty_database.app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE account.thing (id int)")
        assert not await app.fetchval("SELECT has_schema_privilege('account', 'USAGE')")
        assert not await app.fetchval("SELECT has_schema_privilege('public', 'USAGE')")
    finally:
        await app.close()


async def test_every_role_has_its_timeouts(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    for role in provision.role_names():
        settings = await admin.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role)
        named = {setting.split("=")[0] for setting in settings}
        assert {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} <= named


async def test_a_connection_that_asks_for_nothing_plans_as_the_services_do(
    empty_database: ServiceDatabase,
) -> None:
    # As behind a pooler, which passes no setting on that is given at connecting.
    app = await connect(empty_database.app_url)
    try:
        told = {name: await app.fetchval("SELECT current_setting($1)", name) for name in PLANNING}
    finally:
        await app.close()
    assert told == dict(PLANNING)


def test_url_for_another_role_keeps_server_and_options() -> None:
    url = provision.url_for(
        "postgresql://root:a%40b@db.example:6432/postgres?ssl=require",
        database="florin",
        role="account_app",
        password="p@ss/word",
    )
    assert url == "postgresql://account_app:p%40ss%2Fword@db.example:6432/florin?ssl=require"


async def test_the_auditor_sees_what_other_sessions_do(
    backing: Backing, empty_database: ServiceDatabase
) -> None:
    """Runbooks look for who holds a lock, or sits in a transaction."""
    url = provision.url_for(
        empty_database.admin_url,
        database=empty_database.name,
        role=provision.AUDITOR,
        password=backing.credentials.roles[provision.AUDITOR],
    )
    auditor, app = await connect(url), await connect(empty_database.app_url)
    try:
        async with app.transaction():
            pid = await app.fetchval("SELECT pg_backend_pid()")
            seen = await auditor.fetchrow(
                "SELECT state, xact_start FROM pg_stat_activity WHERE pid = $1", pid
            )
        assert seen is not None
        assert seen["state"] == "idle in transaction"
        assert seen["xact_start"] is not None
    finally:
        await auditor.close()
        await app.close()
