"""What a commit hands to the relay in memory is sent at once, and sent all the same if it is not."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from messaging import outbox
from messaging.event import Event
from messaging.frame import Frame
from messaging.publisher import Publisher, Receipt
from messaging.relay import Relay
from service_kit.database import Database
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.bus import Bench, apply_effects, payment_initiated, running
from testkit.waiting import eventually

from .effects import add_and_fail_on, at_count, effects, has_effect, nothing_unsent


@pytest.fixture
async def handing(bench: Bench) -> AsyncIterator[tuple[Relay, Database]]:
    """A relay that may send only what it is handed, and the database whose commits are handed to it."""
    relay = bench.relay(owned=timedelta(hours=1))
    database = Database(bench.url, after_commit=relay.nudge_if_written)
    yield relay, database
    await database.close()


async def test_what_is_committed_is_handed_over_and_sent_in_order(
    bench: Bench, handing: tuple[Relay, Database]
) -> None:
    """Without a claim: the rows are too young for one."""
    relay, database = handing
    events = [payment_initiated() for _ in range(300)]
    seen: list[str] = []

    async def note(connection: AsyncConnection, batch: Sequence[Event[Any]]) -> None:
        await apply_effects(connection, batch)
        seen.extend(event.subject for event in batch)

    async with running(relay, bench.consumer(bench.processor(note))):
        for event in events:
            async with database.transaction() as connection:
                await outbox.add(connection, [event])
        await eventually(lambda: nothing_unsent(bench))
        await eventually(lambda: at_count(bench, 300))
    assert seen == [event.subject for event in events]


async def test_what_is_handed_over_faster_than_it_is_sent_is_sent_all_the_same(
    bench: Bench, handing: tuple[Relay, Database]
) -> None:
    """In order, and without a claim: beyond some thousands the relay keeps no texts but where they stand."""
    relay, database = handing
    events = [payment_initiated() for _ in range(7_000)]
    seen: list[str] = []

    async def note(_connection: AsyncConnection, batch: Sequence[Event[Any]]) -> None:
        seen.extend(event.subject for event in batch)

    for begin in range(0, len(events), 500):
        async with database.transaction() as connection:
            await outbox.add(connection, events[begin : begin + 500])
    async with running(relay, bench.consumer(bench.processor(note))):
        await eventually(lambda: nothing_unsent(bench), timeout_s=30)
        await eventually(lambda: _has_seen(seen, len(events)), timeout_s=30)
    assert seen == [event.subject for event in events]


async def _has_seen(seen: list[str], count: int) -> bool:
    return len(seen) >= count


async def test_what_is_rolled_back_is_not_handed_over(bench: Bench, handing: tuple[Relay, Database]) -> None:
    """Not even by the next commit on the same connection."""
    relay, _ = handing
    database = Database(bench.url, after_commit=relay.nudge_if_written, pool_size=1)
    lost, kept = payment_initiated(), payment_initiated()
    async with running(relay, bench.consumer()):
        with pytest.raises(ZeroDivisionError):
            await add_and_fail_on(database, lost)
        async with database.transaction() as connection:
            await outbox.add(connection, [kept])
        await eventually(lambda: has_effect(bench, kept))
    assert await effects(bench) == 1
    await database.close()


async def test_what_was_handed_over_but_not_confirmed_is_claimed_later(bench: Bench) -> None:
    """The broker's queue is gone for a moment: nothing is marked, and all of it is sent in the end."""
    refusing = RefusingPublisher(bench.broker_url, bench.topology, name="test relay")
    relay = bench.relay(refusing)
    database = Database(bench.url, after_commit=relay.nudge_if_written)
    async with running(relay, bench.consumer()):
        async with database.transaction() as connection:
            await outbox.add(connection, [payment_initiated() for _ in range(50)])
        await eventually(lambda: refusing.refused)
        assert await effects(bench) == 0
        refusing.away = False
        await eventually(lambda: at_count(bench, 50), timeout_s=20)
    await database.close()


class RefusingPublisher(Publisher):
    """Has no answer from its broker until told that it is back."""

    away = True
    refused = 0

    async def publish(self, frame: Frame) -> Receipt:
        """Publish, unless the broker is away."""
        if self.away:
            self.refused += 1
            return Receipt.UNKNOWN
        return await super().publish(frame)
