"""A database as it stands after many payments: filled by SQL, each row as the services would have left it."""

import asyncio
from pathlib import Path

from florin.provision import connect

HERE = Path(__file__).parent
# Payments made at once: bounded, so that their sorting stays in memory.
CHUNK = 250_000
# What a trigger guards is right by construction here; a superuser may leave the triggers out.
_SESSION = """
    SET session_replication_role = replica; SET synchronous_commit = off; SET jit = off;
    SET work_mem = '512MB'; SET maintenance_work_mem = '256MB'; SET max_parallel_workers_per_gather = 0
"""


async def fill(url: str, *, first: int, last: int) -> None:
    """Adds payments `first` to `last`, counted from 1. `url`: a superuser's; the load's accounts are open."""
    for begin in range(first, last + 1, CHUNK):
        await _run(url, "filling.sql", first=begin, last=min(begin + CHUNK - 1, last))
        # Two cores: two halves.
        await asyncio.gather(_run(url, "filling_transaction.sql"), _run(url, "filling_others.sql"))
        await _run(url, "filling_end.sql")
    connection = await connect(url)
    try:
        # What autovacuum would do a minute later, in the midst of the measurement.
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _run(url: str, file: str, **words: int) -> None:
    statements = (HERE / file).read_text().format(**words)
    connection = await connect(url)
    try:
        await connection.execute(_SESSION)
        await connection.execute(statements)
    finally:
        await connection.close()
