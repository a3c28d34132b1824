"""Migrations: run by the owner, once, however many begin at once; and the app sees where it stands."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from florin.services import PROCESSES
from service_kit.database import Database
from service_kit.migrations import Migrations, run_migrations
from service_kit.revisions import MigrationsNotFound, Revisions, SchemaBehind
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from testkit.databases import ServiceDatabase

ENV = "from service_kit.migrations import run_env\n\nrun_env()\n"
REVISION = """
from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
    op.execute("CREATE TABLE {table} (number int)")
    op.execute("GRANT SELECT ON {table} TO transaction_app")
"""


def tree(folder: Path, *tables: str) -> Path:
    """A folder of migrations, each of which makes one table."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text(ENV)
    before = "None"
    for number, table in enumerate(tables, 1):
        revision = f"{number:04}"
        content = REVISION.format(revision=revision, before=before, table=table)
        (folder / "versions" / f"{revision}_{table}.py").write_text(content)
        before = f'"{revision}"'
    return folder


@pytest.fixture
async def database(empty_database: ServiceDatabase) -> AsyncIterator[Database]:
    made = Database(empty_database.app_url)
    yield made
    await made.close()


async def test_the_schema_goes_to_head_once_and_the_app_sees_where_it_stands(
    empty_database: ServiceDatabase, database: Database, tmp_path: Path
) -> None:
    first = Migrations.of("transaction", folder=tree(tmp_path / "old", "alpha"))
    check = first.check(database)
    assert await first.state(database) == "behind"
    with pytest.raises(SchemaBehind, match="0001"):
        await check()

    revisions = await asyncio.gather(*(first.run(empty_database.owner_url) for _ in range(3)))
    assert revisions == ["0001"] * 3
    await check()
    assert await first.state(database) == "at_head"

    newer = Migrations.of("transaction", folder=tree(tmp_path / "new", "alpha", "beta"))
    assert await newer.state(database) == "behind"
    # A superuser's address does as well: what it makes is still the owner's.
    assert (
        await run_migrations("transaction", empty_database.admin_url, script_location=newer.folder) == "0002"
    )
    assert await newer.state(database) == "at_head"
    # The older release goes on serving while the newer one is rolled out.
    assert await first.state(database) == "ahead"
    async with database.snapshot() as connection:
        owners = await connection.scalars(
            text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'transaction'")
        )
        assert set(owners) == {"transaction_owner"}
        assert await connection.scalar(text("SELECT to_regclass('transaction.beta') IS NOT NULL"))


async def test_the_app_role_cannot_migrate(empty_database: ServiceDatabase, tmp_path: Path) -> None:
    migrations = Migrations.of("transaction", folder=tree(tmp_path, "alpha", "beta", "gamma"))
    with pytest.raises(DBAPIError, match=r"permission denied|must be able to SET ROLE"):
        await migrations.run(empty_database.app_url)


async def test_a_migration_that_fails_leaves_the_revision_before_it(
    empty_database: ServiceDatabase, tmp_path: Path
) -> None:
    folder = tree(tmp_path, "alpha", "beta", "delta", "delta")
    with pytest.raises(DBAPIError, match="already exists"):
        await Migrations.of("transaction", folder=folder).run(empty_database.owner_url)
    whole = Migrations.of(
        "transaction", folder=tree(tmp_path / "mended", "alpha", "beta", "delta", "epsilon")
    )
    assert await whole.run(empty_database.owner_url) == "0004"


def test_migrations_that_are_nowhere_say_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MigrationsNotFound, match="FLORIN_MIGRATIONS_DIR"):
        Migrations.of("transaction", folder=tmp_path)
    with pytest.raises(MigrationsNotFound, match="no installed package"):
        Migrations.of("unheard_of")


@pytest.mark.parametrize("service", PROCESSES)
def test_revisions_read_from_the_files_are_alembics(service: str) -> None:
    scripts = Migrations.of(service).scripts
    assert Revisions.of(service).head == scripts.get_current_head()


def test_two_last_revisions_are_none(tmp_path: Path) -> None:
    folder = tree(tmp_path, "alpha", "beta")
    (folder / "versions" / "0003_gamma.py").write_text('revision = "0003"\ndown_revision = "0001"\n')
    with pytest.raises(MigrationsNotFound, match="2 last revisions"):
        Revisions.of("transaction", folder=folder).head  # noqa: B018


def test_a_file_that_is_no_revision_is_named(tmp_path: Path) -> None:
    folder = tree(tmp_path, "alpha")
    (folder / "versions" / "notes.py").write_text("revision = make()\n")
    with pytest.raises(MigrationsNotFound, match=r"notes\.py"):
        Revisions.of("transaction", folder=folder).head  # noqa: B018


def test_a_service_runs_without_alembic() -> None:
    """It takes ten megabytes of every process."""
    asked = "import sys, account_service.app; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
