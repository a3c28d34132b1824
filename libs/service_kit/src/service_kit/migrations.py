"""Migrations: one alembic tree per service, run by the schema's owner, by one process at a time.

The tree lies in `services/<name>/migrations/` (env.py, versions/). It is found beside the package's `src`
when the package is installed from the workspace; a container image copies it anywhere and says so in
FLORIN_MIGRATIONS_DIR.
"""

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import structlog
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from service_kit.database import Database, create_engine, sqlstate

VERSION_TABLE = "schema_version"
# How long a second migrator waits for the first; then how long any statement may wait for a lock that live
# traffic holds: a migration that queues for an exclusive lock makes every later query queue behind it.
_TURN_TIMEOUT = "120s"
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"

_log = structlog.stdlib.get_logger(__name__)


class MigrationsNotFound(Exception):
    """The folder of the service's migrations is not where it should be; the text names the places
    looked in."""


class SchemaBehind(Exception):
    """The database's schema is older than this code: `python -m <name>_service migrate` has not been run."""


@dataclass(frozen=True)
class Migrations:
    """The migrations of one service: its schema bears the service's name, its owner is `<service>_owner`."""

    service: str
    folder: Path

    @classmethod
    def of(cls, service: str, *, folder: Path | None = None) -> "Migrations":
        """Finds the tree: `folder` when given, else `services/<name>/migrations` beside the package's
        `src`."""
        return cls(service, _find_folder(service, folder))

    @cached_property
    def scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())

    @property
    def head(self) -> str:
        """The revision this code was written for."""
        head = self.scripts.get_current_head()
        if head is None:
            raise MigrationsNotFound(f"{self.folder} holds no revision")
        return head

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

    async def state(self, database: Database) -> Literal["at_head", "behind", "ahead"]:
        """Where the database stands. `ahead`: a newer release has migrated already, which a rolling
        update does on purpose; a release only ever adds, so the older code goes on serving."""
        query = text(f"SELECT version_num FROM {_quoted(self.service)}.{VERSION_TABLE}")  # noqa: S608
        try:
            async with database.snapshot() as connection:
                found = set((await connection.scalars(query)).all())
        except DBAPIError as error:
            # No table, no schema, or no grant on it yet: nothing has migrated.
            if sqlstate(error) in {"42P01", "3F000", "42501"}:
                return "behind"
            raise
        if found == {self.head}:
            return "at_head"
        known = {script.revision for script in self.scripts.walk_revisions()}
        return "ahead" if found and not found & known else "behind"

    def check(self, database: Database) -> Callable[[], Awaitable[None]]:
        """A readiness check: raises `SchemaBehind` until the schema is at head (or ahead); then asks no
        more."""
        reached = False

        async def schema_at_head() -> None:
            nonlocal reached
            if reached:
                return
            if not await schema_is_at_head(database, self):
                raise SchemaBehind(f"schema {self.service} is behind {self.head}: run the migrations")
            reached = True

        return schema_at_head

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, service=self.service)
        return config

    def _prepare(self, connection: Connection, owner: str) -> None:
        execute = connection.exec_driver_sql
        if connection.scalar(text("SELECT current_user")) != owner:
            execute(f"SET ROLE {_quoted(owner)}")
        if not connection.scalar(
            text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": _quoted(self.service)}
        ):
            execute(f"CREATE SCHEMA {_quoted(self.service)}")
        execute(f"SET search_path = {_quoted(self.service)}")
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
        if connection.scalar(text("SELECT to_regrole(:name) IS NOT NULL"), {"name": _quoted(app)}):
            schema = _quoted(self.service)
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {_quoted(app)}")
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.{VERSION_TABLE} TO {_quoted(app)}")


async def run_migrations(
    service: str, url: str | SecretStr, *, script_location: Path | None = None, owner_role: str | None = None
) -> str:
    """Brings a service's schema to head and returns the revision; see `Migrations.run`."""
    return await Migrations.of(service, folder=script_location).run(url, owner_role=owner_role)


async def schema_is_at_head(database: Database, migrations: Migrations) -> bool:
    """Whether this code may serve on the schema as it is: at head, or ahead by a newer release."""
    return await migrations.state(database) != "behind"


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


def _find_folder(service: str, folder: Path | None) -> Path:
    candidates = [folder] if folder is not None else _usual_places(service)
    for candidate in candidates:
        if (candidate / "env.py").is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates) or "no installed package"
    raise MigrationsNotFound(f"no migrations of {service} in {looked}: set FLORIN_MIGRATIONS_DIR")


def _usual_places(service: str) -> list[Path]:
    spec = importlib.util.find_spec(f"{service}_service")
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    return [package.parents[1] / "migrations", package / "migrations"]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def migrate_now(service: str, url: str | SecretStr, *, folder: Path | None = None) -> str:
    """`run_migrations` for a caller without an event loop (command line, test set-up)."""
    return asyncio.run(run_migrations(service, url, script_location=folder))
