"""The yardstick: pgbench's built-in tpcb-like on the very server that the payments run on."""

import asyncio
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from florin.backing import postgres_place
from florin.provision import connect, url_for

from .figures import median

SCALE = 20
CLIENTS = 16
THREADS = 2
SECONDS = 8
RUNS = 3
DATABASE = "florin_yardstick"
TIMEOUT_S = 120
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class NoYardstick(Exception):
    """pgbench is not on this machine, or failed."""


def program() -> Path:
    """pgbench: the one beside the Postgres that runs, else one that is installed."""
    beside = postgres_place.programs(postgres_place.os_user()) / "pgbench"
    if beside.exists():
        return beside
    installed = [Path(found)] if (found := shutil.which("pgbench")) else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    if not installed:
        raise NoYardstick("pgbench is missing: it comes with Postgres (Debian: postgresql-contrib)")
    return installed[0]


async def measure(admin_url: str, *, runs: int = RUNS, seconds: int = SECONDS) -> list[float]:
    """Transactions per second of each run, each on tables freshly made and checkpointed."""
    return [await _one(admin_url, seconds) for _ in range(runs)]


def middle(rates: list[float]) -> float:
    """The figure that others are held to."""
    return round(median(rates), 1)


def tps_of(output: str) -> float:
    """The rate in what pgbench printed; raises NoYardstick."""
    match = _TPS.search(output)
    if match is None:
        raise NoYardstick(f"pgbench told no rate: {output[-500:]}")
    return float(match[1])


async def _one(admin_url: str, seconds: int) -> float:
    connection = await connect(admin_url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        url = url_for(admin_url, database=DATABASE)
        await _pgbench(url, "-i", "-q", "-s", str(SCALE))
        await connection.execute("CHECKPOINT")
        words = ("-c", str(CLIENTS), "-j", str(THREADS), "-T", str(seconds))
        return tps_of(await _pgbench(url, *words))
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        await connection.close()


async def _pgbench(url: str, *words: str) -> str:
    parts = urlsplit(url)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    login = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        # It sends each statement anew, and would pay for the ids that count the services' statements.
        "PGOPTIONS": "-c compute_query_id=off",
    }
    process = await asyncio.create_subprocess_exec(
        *(str(program()), *words, parts.path.removeprefix("/")),
        env={**kept, **login, "LC_ALL": "C"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        raise NoYardstick(f"pgbench {' '.join(words)}: {output.decode(errors='replace')[-500:]}")
    return output.decode(errors="replace")
