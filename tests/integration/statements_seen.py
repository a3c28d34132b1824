"""What Postgres was asked to do, as its own log tells: every statement of one service's role."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from florin.provision import app_of
from testkit.backing import Backing

# How often a request is repeated, so that its statements are told from those that come now and then.
TIMES = 3
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] (\w*)@(\S*) LOG:  (?:execute [^:]+|statement): ")
# What the driver asks of a connection that is new to a type.
_OF_THE_DRIVER = "pg_catalog."


@dataclass(frozen=True)
class StatementLog:
    """The log of the test session's Postgres, while it tells all statements."""

    file: Path
    database: str

    async def of(self, service: str, ask: Callable[[], Awaitable[object]]) -> Counter[str]:
        """The statements of one request, each as often as it was made; `ask` makes the request."""
        start = self.file.stat().st_size
        for _ in range(TIMES):
            await ask()
        found = self._read(app_of(service), start)
        return Counter({text: count // TIMES for text, count in found.items() if count >= TIMES})

    def _read(self, role: str, start: int) -> Counter[str]:
        with self.file.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").splitlines()
        found: Counter[str] = Counter()
        text: list[str] = []
        for line in [*lines, "0"]:
            # An entry goes on for as long as its lines are indented by a tab.
            if line.startswith("\t"):
                text += [line.strip()] if text else []
                continue
            if text and _OF_THE_DRIVER not in (statement := " ".join(text)):
                found[statement] += 1
            entry = _ENTRY.match(line)
            ours = entry is not None and (entry[1], entry[2]) == (role, self.database)
            text = [line[entry.end() :].strip()] if entry is not None and ours else []
        return found


@asynccontextmanager
async def logging_statements(backing: Backing, database: str) -> AsyncIterator[StatementLog]:
    """The server tells every statement until the end of the block. Skips where its log is out of reach."""
    files = list(backing.folder.glob("**/postgres.log"))
    if not files:
        pytest.skip("the log of a Postgres that was given by its address cannot be read")
    connection = await asyncpg.connect(backing.database_admin_url)
    try:
        await _tell(connection, "ALTER SYSTEM SET log_statement = 'all'")
        yield StatementLog(files[0], database)
    finally:
        await _tell(connection, "ALTER SYSTEM RESET log_statement")
        await connection.close()


async def _tell(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    await connection.execute(statement)
    await connection.execute("SELECT pg_reload_conf()")
