"""Migrations: one alembic tree per service, run by the schema's owner, by one process at a time."""

import asyncio
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, text

from service_kit.database import create_engine
from service_kit.revisions import VERSION_TABLE, Revisions, quoted

# How long a second migrator waits for the first; then how long any statement may wait for a lock that live
# traffic holds: a migration that queues for an exclusive lock makes every later query queue behind it.
_TURN_TIMEOUT = "120s"
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"

_log = structlog.stdlib.get_logger(__name__)


class Migrations(Revisions):
    """The migrations of one service, whose schema's owner is `<service>_owner`."""

    @cached_property
    def scripts(self) -> ScriptDirectory:
        """The tree as alembic sees it."""
        return ScriptDirectory.from_config(self._config())

    async def run(self, url: str | SecretStr, *, owner_role: str | None = None) -> str:
        """Brings the schema to head as its owner and returns the revision. Safe to run twice, and at once.

        A superuser's URL is allowed (tests, first set-up): the owner's role is taken on, so that every object
        is the owner's.
        """
        owner = owner_role or f"{self.service}_owner"
        engine = create_engine(
            url,
            pool_size=1,
            application_name=f"florin-migrate-{self.service}",
            # The server's own statement timeout bounds a migration; building an index may take its time.
            command_timeout_s=None,
        )
        try:
            async with engine.connect() as connection:
                await connection.run_sync(self._prepare, owner)
                await connection.run_sync(self._upgrade)
                await connection.run_sync(self._let_app_read_version)
                await connection.commit()
        finally:
            await engine.dispose()
        _log.info("schema at head", schema=self.service, revision=self.head)
        return self.head

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, service=self.service)
        return config

    def _prepare(self, connection: Connection, owner: str) -> None:
        execute = connection.exec_driver_sql
        if connection.scalar(text("SELECT current_user")) != owner:
            execute(f"SET ROLE {quoted(owner)}")
        if not connection.scalar(
            text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": quoted(self.service)}
        ):
            execute(f"CREATE SCHEMA {quoted(self.service)}")
        execute(f"SET search_path = {quoted(self.service)}")
        execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")
        execute(f"SET lock_timeout = '{_TURN_TIMEOUT}'")
        # Held by the session, so that it outlasts each migration's own transaction; it ends with the
        # connection.
        turn = text("SELECT pg_advisory_lock(hashtextextended(:key, 0))")
        connection.execute(turn, {"key": f"florin migrations of {self.service}"})
        execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
        connection.commit()

    def _upgrade(self, connection: Connection) -> None:
        command.upgrade(self._config(connection), "head")

    def _let_app_read_version(self, connection: Connection) -> None:
        app = f"{self.service}_app"
        if connection.scalar(text("SELECT to_regrole(:name) IS NOT NULL"), {"name": quoted(app)}):
            schema = quoted(self.service)
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quoted(app)}")
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.{VERSION_TABLE} TO {quoted(app)}")


async def run_migrations(
    service: str, url: str | SecretStr, *, script_location: Path | None = None, owner_role: str | None = None
) -> str:
    """Brings a service's schema to head and returns the revision; see `Migrations.run`."""
    return await Migrations.of(service, folder=script_location).run(url, owner_role=owner_role)


def run_env() -> None:
    """What a service's `migrations/env.py` calls: runs the revisions on the connection `Migrations.run`
    holds."""
    attributes: dict[str, Any] = context.config.attributes
    connection: Connection | None = attributes.get("connection")
    if connection is None:
        raise RuntimeError(
            "run migrations with `python -m <name>_service migrate`, not with alembic directly"
        )
    schema = attributes["service"]

    def own_objects(name: str | None, type_: str, _parents: Any) -> bool:
        return name == schema if type_ == "schema" else True

    context.configure(
        connection=connection,
        version_table=VERSION_TABLE,
        version_table_schema=schema,
        include_schemas=True,
        include_name=own_objects,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def migrate_now(service: str, url: str | SecretStr, *, folder: Path | None = None) -> str:
    """`run_migrations` for a caller without an event loop (command line, test set-up)."""
    return asyncio.run(run_migrations(service, url, script_location=folder))
