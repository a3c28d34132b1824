"""Which revision a service's code was written for, and whether the database's schema has it.

Read from the files of the migrations without alembic: its modules take ten megabytes, which a service that
only asks where it stands need not have.

The tree lies in `services/<name>/migrations/` (env.py, versions/). It is found beside the package's `src`
when the package is installed from the workspace; a container image copies it anywhere and says so in
FLORIN_MIGRATIONS_DIR.
"""

import ast
import importlib.util
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service_kit.database import Database, sqlstate

VERSION_TABLE = "schema_version"


class MigrationsNotFound(Exception):
    """The folder of the service's migrations is not where it should be, or holds no line of revisions; the
    text names the places looked in."""


class SchemaBehind(Exception):
    """The database's schema is older than this code: `python -m <name>_service migrate` has not been run."""


@dataclass(frozen=True)
class Revisions:
    """The revisions of one service: its schema bears the service's name."""

    service: str
    folder: Path

    @classmethod
    def of(cls, service: str, *, folder: Path | None = None) -> Self:
        """Finds the tree: `folder` when given, else `services/<name>/migrations` beside the package's
        `src`."""
        return cls(service, _find_folder(service, folder))

    @property
    def head(self) -> str:
        """The revision this code was written for."""
        heads = set(self._before) - set(self._before.values())
        if len(heads) != 1:
            raise MigrationsNotFound(f"{self.folder} holds {len(heads)} last revisions, not one")
        return heads.pop()

    async def state(self, database: Database) -> Literal["at_head", "behind", "ahead"]:
        """Where the database stands. `ahead`: a newer release has migrated already, which a rolling
        update does on purpose; a release only ever adds, so the older code goes on serving."""
        query = text(f"SELECT version_num FROM {quoted(self.service)}.{VERSION_TABLE}")  # noqa: S608
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
        return "ahead" if found and not found & set(self._before) else "behind"

    def check(self, database: Database) -> Callable[[], Awaitable[None]]:
        """A readiness check: raises `SchemaBehind` until the schema is at head (or ahead); then asks no
        more."""
        reached = False

        async def schema_at_head() -> None:
            nonlocal reached
            if reached:
                return
            if await self.state(database) == "behind":
                raise SchemaBehind(f"schema {self.service} is behind {self.head}: run the migrations")
            reached = True

        return schema_at_head

    @cached_property
    def _before(self) -> Mapping[str, str | None]:
        """Each revision, and the one before it."""
        files = (self.folder / "versions").glob("*.py")
        return dict(_read_revision(file) for file in files)


def quoted(name: str) -> str:
    """The name as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _read_revision(file: Path) -> tuple[str, str | None]:
    """`revision` and `down_revision`, as the file assigns them."""
    told = {
        target.id: statement.value.value
        for statement in ast.parse(file.read_bytes()).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    revision, before = told.get("revision"), told.get("down_revision")
    if not isinstance(revision, str) or not isinstance(before, str | None):
        raise MigrationsNotFound(f"{file} does not say which revision it is, and after which")
    return revision, before


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
