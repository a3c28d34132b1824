"""Faults of processes: killed, stopped, asked to end, multiplied."""

import asyncio
import signal

import psutil
from florin.services import SERVICES
from testkit.waiting import eventually

from .arena import Arena
from .journal import now
from .registry import fault
from .workers import Worker, consumers


@fault()
async def transaction_killed(arena: Arena) -> None:
    """The transaction service is SIGKILLed at any moment."""
    await killed(arena, "transaction")


@fault()
async def account_killed(arena: Arena) -> None:
    """The account service is SIGKILLed at any moment."""
    await killed(arena, "account")


@fault()
async def fraud_killed(arena: Arena) -> None:
    """The fraud service is SIGKILLed at any moment."""
    await killed(arena, "fraud")


@fault()
async def notification_killed(arena: Arena) -> None:
    """The notification service is SIGKILLed at any moment."""
    await killed(arena, "notification")


async def killed(arena: Arena, service: str) -> None:
    """SIGKILL and a new start."""
    await arena.kill(service)
    arena.fired()
    await arena.start(service)


@fault(short=True)
async def api_killed_before_commit(arena: Arena) -> None:
    """The API is SIGKILLed when it has written payments and sends COMMIT: nothing of them may stand."""
    await arena.kill_at(
        "transaction",
        "postgres",
        lambda seen: seen.what == "statement" and seen.commits and seen.writes("payments"),
    )


@fault(short=True)
async def api_killed_after_commit(arena: Arena) -> None:
    """The API is SIGKILLed when its COMMIT stands and it has not heard so: the payments stand, and a retry
    must find them."""
    await arena.kill_at(
        "transaction",
        "postgres",
        lambda seen: seen.what == "answer" and seen.commits and seen.ok and seen.writes("payments"),
    )


@fault(timeout_s=120)
async def stopped_and_continued(arena: Arena) -> None:
    """A service is SIGSTOPped, its connections standing, and goes on later as if nothing had been."""
    process = psutil.Process(arena.pid(arena.chance.choice(SERVICES)))
    process.send_signal(signal.SIGSTOP)
    try:
        await eventually(lambda: process.status() == psutil.STATUS_STOPPED)
        arena.fired()
        await arena.hold()
    finally:
        process.send_signal(signal.SIGCONT)


@fault(short=True)
async def api_terminated(arena: Arena) -> None:
    """The API gets SIGTERM under load and is started again. Every request that it has begun is answered, and
    none with an error: a client sees connections refused or closed on it, nothing else, and retries."""
    began = now()
    await arena.terminate("transaction")
    arena.fired()
    await arena.start("transaction")
    await arena.answering()
    ended = now()
    # Whoever met the restart has asked again, and been answered, a second after it at the latest.
    await eventually(lambda: arena.load_tail.read_until(ended + 2), timeout_s=20, every_s=0.1)
    for error in sorted(set(arena.load_tail.errors_between(began, ended)) - {"refused", "reset"}):
        arena.wrong(f"api-terminated: a client of the ending API saw {error}")
    for key in arena.load_tail.carried_out_unanswered(began, ended):
        arena.wrong(f"api-terminated: request {key} was carried out, and its client was cut off")


@fault(timeout_s=150)
async def rolling_restart(arena: Arena) -> None:
    """All four services get SIGTERM and are started again, one right after the other."""
    for service in arena.chance.sample(SERVICES, len(SERVICES)):
        await arena.terminate(service)
        arena.fired()
        await arena.start(service)


@fault(timeout_s=150)
async def workers_come_and_go(arena: Arena) -> None:
    """One worker of a service becomes three and one again, while messages keep coming."""
    service = arena.chance.choice(("transaction", "fraud", "account"))
    more = [Worker(arena, service, number) for number in (2, 3)]
    try:
        await asyncio.gather(*(worker.start() for worker in more))
        await eventually(lambda: consumers(arena, service, 3), timeout_s=20, every_s=0.2)
        for worker in more:
            await eventually(worker.has_worked, timeout_s=20, every_s=0.2)
            arena.fired()
    finally:
        await asyncio.gather(*(worker.stop() for worker in more))
    await eventually(lambda: consumers(arena, service, 1), timeout_s=20, every_s=0.2)
