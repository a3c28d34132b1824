"""The database's roles, schemas and rights, made through a superuser; done twice it changes nothing.

One database; for each service a schema, an owner that migrates and an app role that runs; one auditor that
reads all and writes nothing. What an app role may do to a table is the migrations' business.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from florin.services import PROCESSES

DATABASE = "florin"
AUDITOR = "florin_auditor"
CONNECT_TIMEOUT_S = 10
# Any fixed number: two provisionings at once would trip over each other's roles.
LOCK = 0x466C6F72
LIMITS: Mapping[str, str] = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
# A migration builds indexes, an audit reads the whole ledger: longer than any request may last.
LONG_STATEMENT = "15min"


def owner_of(service: str) -> str:
    """The role that owns the service's schema and migrates it."""
    return f"{service}_owner"


def app_of(service: str) -> str:
    """The role the service runs as."""
    return f"{service}_app"


def role_names() -> list[str]:
    """Every role that needs a password."""
    return [*(role for service in PROCESSES for role in (owner_of(service), app_of(service))), AUDITOR]


def role_statements(passwords: Mapping[str, str]) -> list[str]:
    """SQL for the server's roles. `passwords` by role name, one for each of `role_names()`."""
    # Loaded here: it takes a second, and most commands do without.
    from service_kit.database import PLANNING

    statements = []
    for role in role_names():
        statements += [
            f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
            f"PASSWORD {_literal(passwords[role])}",
            *(f"ALTER ROLE {role} SET {name} = '{value}'" for name, value in LIMITS.items()),
        ]
    for service in PROCESSES:
        for role in (owner_of(service), app_of(service)):
            statements.append(f"ALTER ROLE {role} SET search_path = {service}")
        statements += [
            f"ALTER ROLE {app_of(service)} SET {name} = {value}" for name, value in PLANNING.items()
        ]
        statements.append(f"ALTER ROLE {owner_of(service)} SET statement_timeout = '{LONG_STATEMENT}'")
    return [
        *statements,
        # What sessions do and wait for, too: whoever is woken at night looks there first.
        f"GRANT pg_read_all_data, pg_read_all_stats TO {AUDITOR}",
        f"ALTER ROLE {AUDITOR} SET default_transaction_read_only = on",
        f"ALTER ROLE {AUDITOR} SET statement_timeout = '{LONG_STATEMENT}'",
    ]


def database_statements(database: str) -> list[str]:
    """SQL for who may enter the database; needed again after copying a template: rights stay behind."""
    return [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        *(f"GRANT CONNECT ON DATABASE {database} TO {role}" for role in role_names()),
    ]


def schema_statements() -> list[str]:
    """SQL to run inside the database: a schema per service."""
    statements = ["REVOKE ALL ON SCHEMA public FROM PUBLIC"]
    for service in PROCESSES:
        statements += [
            f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {owner_of(service)}",
            f"GRANT USAGE ON SCHEMA {service} TO {app_of(service)}",
        ]
    return statements


async def provision(admin_url: str, *, passwords: Mapping[str, str], database: str = DATABASE) -> None:
    """Makes roles, database and schemas; raises asyncpg.PostgresError or OSError."""
    connection = await connect(admin_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await _run(connection, role_statements(passwords))
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f"CREATE DATABASE {database}")
        await _run(connection, database_statements(database))
        inside = await connect(url_for(admin_url, database=database))
        try:
            await _run(inside, schema_statements())
        finally:
            await inside.close()
    finally:
        await connection.close()


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection of the caller's own."""
    return await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT_S, server_settings={"client_min_messages": "warning"}
    )


def url_for(admin_url: str, *, database: str, role: str | None = None, password: str = "") -> str:
    """The same server's address with another database, and another role when one is given."""
    parts = urlsplit(admin_url)
    where = parts.netloc.rpartition("@")[2]
    login = parts.netloc.rpartition("@")[0] if role is None else f"{quote(role)}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{where}" if login else where, path=f"/{database}"))


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", statements: Sequence[str]) -> None:
    for statement in statements:
        await connection.execute(statement)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
