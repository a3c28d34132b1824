"""Faults of Postgres: killed, restarted, sessions ended, connections cut at COMMIT, rows locked for long."""

import asyncpg
from testkit.proxy import Matches, cut_connection
from testkit.waiting import eventually
from testkit.wire import Seen

from .arena import Arena
from .load import HOLDERS
from .registry import fault

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"


@fault(short=True, timeout_s=120)
async def postgres_killed(arena: Arena) -> None:
    """Postgres and all its backends are SIGKILLed, and it recovers from its log."""
    await arena.kill("postgres")
    arena.fired()
    await arena.start("postgres")


@fault(timeout_s=120)
async def postgres_restarted(arena: Arena) -> None:
    """Postgres is shut down fast, stays away for a while and comes back."""
    await arena.stop("postgres")
    arena.fired()
    await arena.hold()
    await arena.start("postgres")


@fault()
async def backends_terminated(arena: Arena) -> None:
    """An administrator ends all sessions of all services at once (pg_terminate_backend)."""
    async with arena.superuser() as superuser:
        ended = await superuser.fetchval(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE usename LIKE '%\\_app'"
        )
    assert ended, "no service has a session"
    arena.fired()


@fault()
async def api_cut_before_commit(arena: Arena) -> None:
    """The connection is cut when the API sends COMMIT, before Postgres has it: nobody can tell it from the
    next one."""
    await _cut(arena, "transaction", lambda seen: seen.what == "statement" and seen.writes("payments"))


@fault(short=True)
async def api_cut_after_commit(arena: Arena) -> None:
    """The connection is cut when Postgres has committed payments, before the API hears so."""
    await _cut(
        arena, "transaction", lambda seen: seen.what == "answer" and seen.ok and seen.writes("payments")
    )


@fault()
async def consumer_cut_before_commit(arena: Arena) -> None:
    """The connection is cut when a consumer sends COMMIT, before Postgres has it."""
    for service in arena.some(("transaction", "fraud", "account", "notification")):
        await _cut(arena, service, lambda seen: seen.what == "statement" and seen.writes("inbox"))


@fault(short=True)
async def consumer_cut_after_commit(arena: Arena) -> None:
    """The connection is cut when Postgres has committed a consumer's batch, before the consumer hears so."""
    for service in arena.some(("transaction", "fraud", "account", "notification")):
        await _cut(arena, service, lambda seen: seen.what == "answer" and seen.ok and seen.writes("inbox"))


@fault(timeout_s=150)
async def rows_locked_for_long(arena: Arena) -> None:
    """Somebody holds locks on busy accounts, the busiest among them, while postings wait for them."""
    async with arena.superuser() as superuser, superuser.transaction():
        await superuser.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await superuser.fetch(
            "SELECT FROM account.accounts WHERE reference = ANY($1) ORDER BY id FOR UPDATE",
            HOLDERS["EUR"][:20],
        )
        pid = await superuser.fetchval("SELECT pg_backend_pid()")
        await eventually(lambda: _blocks(superuser, pid), timeout_s=20, every_s=0.1)
        arena.fired()
        await arena.hold()


async def _blocks(connection: "asyncpg.Connection[asyncpg.Record]", pid: int) -> bool:
    return bool(await connection.fetchval(_BLOCKED, pid))


async def _cut(arena: Arena, service: str, matches: Matches) -> None:
    def at_commit(seen: Seen) -> bool:
        return seen.commits and matches(seen)

    for _ in range(arena.pace.moments):
        await arena.at(service, "postgres", at_commit, cut_connection)
        arena.fired()
