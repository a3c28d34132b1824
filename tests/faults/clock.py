"""Faults of the clock: one process lives minutes or a day away from the others, then comes back.

Frames may be of any age and fifteen minutes ahead, no more: beyond that whoever hears them keeps them in
quarantine, and payments wait until the clock is set and `florin redrive` has sent the events again.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from florin.running import Services
from florin.services import SERVICES
from messaging.frame import MAX_CLOCK_SKEW
from testkit.waiting import eventually

from .arena import Arena
from .registry import fault

# Debian's package `libfaketime`, on whatever architecture.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
MISSING = "Debian's package libfaketime is not installed, so no process can be given another clock"
MINUTES, DAY = timedelta(minutes=10), timedelta(days=1)
SEEN_S = 20.0
REFUSED_S = 30.0


@fault(timeout_s=400, without=None if LIBRARY else MISSING)
async def clock_minutes_off(arena: Arena) -> None:
    """Each service in turn lives ten minutes before or after the others: payments go on as if it did not."""
    before = await _from_the_future(arena)
    for service in arena.chance.sample(SERVICES, len(SERVICES)):
        for shift in _signs(arena, MINUTES):
            async with _shifted(arena, service, shift):
                await arena.answering()
    if refused := await _from_the_future(arena) - before:
        arena.wrong(f"{refused} frames were refused although no clock was off by more than {MINUTES}")


@fault(timeout_s=400, without=None if LIBRARY else MISSING)
async def clock_a_day_off(arena: Arena) -> None:
    """A service lives a day before or after the others: what it says or hears from the future is kept in
    quarantine, and comes again once the clock is set and the events are redriven."""
    services = SERVICES if arena.pace.moments > 1 else ("transaction", arena.chance.choice(SERVICES[1:]))
    for service in services:
        for shift in _signs(arena, DAY):
            async with arena.auditor() as connection:
                since: datetime = await connection.fetchval("SELECT now()")
            before = await _from_the_future(arena)
            async with _shifted(arena, service, shift):
                # Nobody hears notification, and age is no fault: ahead, it troubles nobody.
                if service == "notification" and shift > MAX_CLOCK_SKEW:
                    await arena.answering()
                else:
                    await _refusals(arena, more_than=before)
            await arena.florin("redrive", "--since", since.isoformat())
            await arena.answering()


def _signs(arena: Arena, shift: timedelta) -> tuple[timedelta, ...]:
    """Both ways where there is time, else one of them."""
    return (shift, -shift) if arena.pace.moments > 1 else (arena.chance.choice((shift, -shift)),)


@asynccontextmanager
async def _shifted(arena: Arena, service: str, shift: timedelta) -> AsyncIterator[None]:
    """The service runs with its clock shifted during the block; counts it once seen in what it writes."""
    surroundings = arena.stack.surroundings
    clock = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": f"{int(shift.total_seconds()):+d}",
        # Waits and deadlines are measured on a clock that nobody sets.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }
    elsewhere = Services(replace(surroundings, extra={**surroundings.extra, **clock}), names=[service])
    log = elsewhere.daemons[service].log_file
    await arena.stop(service)
    written = log.stat().st_size
    try:
        await asyncio.to_thread(elsewhere.start, service)
        await eventually(lambda: _is_off(log, written, shift), timeout_s=SEEN_S)
        arena.fired()
        yield
    finally:
        await arena.stop(service)
        await arena.start(service)


def _is_off(log: Path, written: int, shift: timedelta) -> bool:
    """Whether a line that was written just now bears a time that far from now."""
    with log.open("rb") as lines:
        lines.seek(written)
        for line in lines:
            if line.startswith(b'{"at"') and line.endswith(b"\n"):
                away = datetime.fromisoformat(json.loads(line)["at"]) - datetime.now(UTC)
                return abs(away - shift) < timedelta(minutes=1)
    return False


async def _refusals(arena: Arena, *, more_than: int) -> None:
    """Returns once frames were refused because of their time."""

    async def some() -> bool:
        return await _from_the_future(arena) > more_than

    await eventually(some, timeout_s=REFUSED_S, every_s=0.2)


async def _from_the_future(arena: Arena) -> int:
    """How many frames were ever refused because of their time."""
    async with arena.auditor() as connection:
        counts = [
            await connection.fetchval(
                f"SELECT count(*) FROM {service}.quarantine WHERE reason = 'issued_in_future'"
            )
            for service in SERVICES
        ]
    return sum(counts)
