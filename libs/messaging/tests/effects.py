"""What took effect so far, as tests of delivery ask for it; and a transaction that leaves none."""

from typing import Any

from messaging import outbox
from messaging.event import Event
from service_kit.database import Database
from testkit.bus import Bench


async def effects(bench: Bench) -> int:
    """How many effects there are."""
    return int(await bench.scalar("SELECT count(*) FROM effects"))


async def at_count(bench: Bench, expected: int) -> bool:
    """Whether so many effects are there, neither fewer nor more."""
    found = await effects(bench)
    assert found <= expected, f"{found} effects of {expected} events"
    return found == expected


async def more_than(bench: Bench, count: int) -> bool:
    """Whether there are more effects than that."""
    return await effects(bench) > count


async def nothing_unsent(bench: Bench) -> bool:
    """Whether the relay has sent everything."""
    return bool(await bench.scalar("SELECT count(*) = 0 FROM outbox_unsent"))


async def has_effect(bench: Bench, event: Event[Any]) -> bool:
    """Whether this event took effect; with one queue in order, so did all before it."""
    return bool(await bench.scalar(f"SELECT count(*) FROM effects WHERE event_id = '{event.id}'"))


async def add_and_fail_on(database: Database, event: Event[Any]) -> None:
    """A transaction that is rolled back after it wrote the event."""
    async with database.transaction() as connection:
        await outbox.add(connection, [event])
        raise ZeroDivisionError
