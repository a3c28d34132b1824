"""Exactly one effect for each event, whatever dies or comes twice on the way."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from contracts.messages import Payload, PaymentInitiated, PostingRequested, VoidRequested
from messaging import broker, outbox
from messaging.event import Event, new_event
from messaging.processor import Handler, Processor
from messaging.topology import depths
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.bus import Bench, apply_effects, now, payment_initiated, posting_requested, running
from testkit.waiting import eventually

from .effects import add_and_fail_on, at_count, effects, has_effect, more_than, nothing_unsent

DYING = Path(__file__).parent / "dying_process.py"


def run_dying(bench: Bench, part: str) -> None:
    """Run a relay or consumer in a process of its own that SIGKILLs itself at the chosen moment."""
    environment = {
        **os.environ,
        "DATABASE_URL": bench.url,
        "BROKER_URL": bench.broker_url,
        "NAMESPACE": bench.topology.namespace,
        "KEYRING": str(bench.keyring_path),
    }
    done = subprocess.run(
        [sys.executable, str(DYING), part], env=environment, timeout=30, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


async def test_committed_events_take_effect_once_each(bench: Bench) -> None:
    """The plain way: outbox, relay, broker, consumer, inbox, handler; then nothing waits anywhere."""
    await bench.add([payment_initiated() for _ in range(500)])
    async with running(bench.relay(), bench.consumer()):
        await eventually(lambda: at_count(bench, 500))
        await eventually(lambda: nothing_unsent(bench))
    assert await bench.scalar("SELECT count(DISTINCT event_id) FROM effects") == 500
    async with broker.open_channel(bench.broker_url, name="test") as channel:
        assert set((await depths(channel, bench.topology)).values()) == {0}


async def test_a_rolled_back_event_is_never_sent(bench: Bench) -> None:
    """What was not committed has not happened."""
    with pytest.raises(ZeroDivisionError):
        await add_and_fail_on(bench.database, payment_initiated())
    assert await bench.relay().relay_once() == 0


async def test_an_event_sent_twice_takes_effect_once(bench: Bench) -> None:
    """A redrive sends everything again; the inbox knows it."""
    await bench.add([payment_initiated() for _ in range(50)])
    async with running(bench.relay(), bench.consumer()):
        await eventually(lambda: at_count(bench, 50))
        await bench.scalar(
            "WITH again AS (INSERT INTO outbox_unsent SELECT position FROM outbox ON CONFLICT DO NOTHING "
            "RETURNING 1) SELECT count(*) FROM again"
        )
        await eventually(lambda: nothing_unsent(bench))
        marker = payment_initiated()
        await bench.add([marker])
        await eventually(lambda: has_effect(bench, marker))
    assert await effects(bench) == 51


@pytest.mark.parametrize("part", ["relay", "handed"])
async def test_a_relay_that_dies_between_publish_and_mark_doubles_nothing(bench: Bench, part: str) -> None:
    """The next relay sends the same events again, and they are recognised: whether the dead one had claimed
    them from the outbox or been handed them in memory."""
    if part == "relay":
        await bench.add([payment_initiated() for _ in range(100)])
    run_dying(bench, part)
    assert await bench.scalar("SELECT count(*) FROM outbox_unsent") == 100
    async with running(bench.relay(), bench.consumer()):
        await eventually(lambda: nothing_unsent(bench))
        await eventually(lambda: at_count(bench, 100))
        marker = payment_initiated()
        await bench.add([marker])
        await eventually(lambda: has_effect(bench, marker))
    assert await effects(bench) == 101


async def test_a_consumer_that_dies_between_commit_and_ack_doubles_nothing(bench: Bench) -> None:
    """The broker delivers again what was committed but not acknowledged, and it is recognised."""
    await bench.add([payment_initiated() for _ in range(100)])
    await bench.relay().relay_once()
    run_dying(bench, "consumer")
    assert await effects(bench) == 100, "the process died before its commit: the moment was missed"
    async with running(bench.relay(), bench.consumer()):
        marker = payment_initiated()
        await bench.add([marker])
        await eventually(lambda: has_effect(bench, marker))
    assert await effects(bench) == 101


async def test_an_effect_that_fails_leaves_no_trace_in_the_inbox(bench: Bench) -> None:
    """Claim and effect are one transaction: a batch that fails for a passing reason is simply done again."""
    failures = 2

    async def flaky(connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
        nonlocal failures
        await apply_effects(connection, events)
        if failures:
            failures -= 1
            raise OSError("the database went away")

    await bench.add([payment_initiated() for _ in range(20)])
    async with running(bench.relay(), bench.consumer(bench.processor(flaky))):
        await eventually(lambda: at_count(bench, 20))
    assert await bench.scalar("SELECT count(*) FROM parked") == 0


async def test_order_within_a_producer_is_kept(bench: Bench) -> None:
    """Events of one type reach the handler in the order of their commits."""
    seen: list[str] = []

    async def note(connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
        await apply_effects(connection, events)
        seen.extend(event.subject for event in events)

    sent = [payment_initiated() for _ in range(700)]
    await bench.add(sent)
    async with running(bench.relay(), bench.consumer(bench.processor(note))):
        await eventually(lambda: len(seen) >= 700)
    assert seen == [event.subject for event in sent]


async def test_a_handler_of_several_types_gets_them_together_and_in_order(bench: Bench) -> None:
    """So that it can take all its locks at once, whatever came first."""
    batches: dict[str, list[list[str]]] = {"both": [], "one": []}

    def noting(name: str) -> Handler:
        async def note(_: AsyncConnection, events: Sequence[Event[Any]]) -> None:
            batches[name].append([event.subject for event in events])

        return note

    both = noting("both")
    handlers: dict[type[Payload], Handler] = {
        PaymentInitiated: both,
        PostingRequested: both,
        VoidRequested: noting("one"),
    }
    processor = Processor(transaction=bench.database.transaction, handlers=handlers, ring=bench.ring, now=now)
    void = new_event(
        VoidRequested(payment_id=uuid4(), client_id="demo", reason="r", author="a"),
        subject="void",
        sequence=1,
        at=now(),
    )
    first, second, third = payment_initiated(), posting_requested(), payment_initiated()
    async with bench.database.transaction() as connection:
        await processor.dispatch(connection, [first, second, third, void, second])
    assert batches == {
        "both": [[first.subject, second.subject, third.subject], [second.subject]],
        "one": [["void"]],
    }


async def test_stopping_loses_and_doubles_nothing(bench: Bench) -> None:
    """Consumers come and go under load; each finishes and acknowledges the batch in its hands."""
    await bench.add([payment_initiated() for _ in range(3000)])
    async with running(bench.relay()):
        for _ in range(4):
            async with running(bench.consumer()):
                before = await effects(bench)
                await eventually(partial(more_than, bench, min(before, 2999)))
        async with running(bench.consumer()):
            await eventually(lambda: at_count(bench, 3000))
    assert await bench.scalar("SELECT count(DISTINCT event_id) FROM effects") == 3000


async def test_two_consumers_share_the_work(bench: Bench) -> None:
    """Scaling out: each event is handled by exactly one of them."""
    await bench.add([payment_initiated() for _ in range(2000)])
    async with running(bench.relay(), bench.relay(), bench.consumer(), bench.consumer()):
        await eventually(lambda: at_count(bench, 2000))
        await asyncio.sleep(0)
    assert await bench.scalar("SELECT count(DISTINCT event_id) FROM effects") == 2000


async def test_only_what_was_sent_long_ago_is_pruned(bench: Bench) -> None:
    """Unsent events stay however old they are, and sent ones for as long as a redrive may want them."""
    await bench.add([payment_initiated() for _ in range(3)])
    admin = await asyncpg.connect(bench.admin_url)
    try:
        await admin.execute("SET search_path = transaction")
        rows = await admin.fetch("SELECT position FROM outbox ORDER BY position")
        fresh, old, waiting = (row["position"] for row in rows)
        await admin.execute("SET session_replication_role = replica")  # the table refuses it otherwise
        await admin.execute(
            "UPDATE outbox SET created_at = now() - interval '8 days' WHERE position = ANY($1)",
            [old, waiting],
        )
        await admin.execute("DELETE FROM outbox_unsent WHERE position = ANY($1)", [fresh, old])
    finally:
        await admin.close()
    async with bench.database.transaction() as connection:
        assert await outbox.prune(connection, retention=timedelta(days=7)) == 1
    assert await bench.scalar("SELECT count(*) FROM outbox") == 2


async def test_a_relay_prunes_in_its_turn(bench: Bench) -> None:
    """When pruning is due the relay does it and lives on."""
    await bench.add([payment_initiated()])
    relay = bench.relay(retention=timedelta(0))
    relay.next_prune = now()
    async with running(relay):
        await eventually(lambda: is_empty(bench))


async def is_empty(bench: Bench) -> bool:
    """Whether the outbox has no row left."""
    return bool(await bench.scalar("SELECT count(*) = 0 FROM outbox"))
