"""Bad frames go to quarantine, bad events to parked; good ones beside them are neither lost nor slowed."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from aio_pika import Message
from contracts.messages import PaymentInitiated
from messaging import broker, outbox, parked
from messaging.event import Event, encode
from messaging.failures import PermanentFailure, TopologyMissing
from messaging.frame import Frame, seal
from messaging.parked import Replayer
from messaging.signing import Key, sign
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.bus import Bench, apply_effects, now, payment_initiated, posting_requested, running
from testkit.waiting import eventually

INITIATED = "florin.payment.initiated.v1"


async def deliver(bench: Bench, *frames: Frame) -> None:
    """Put frames into fraud's queue as anybody with access to the broker could."""
    async with broker.open_channel(bench.broker_url, name="test attacker") as channel:
        exchange = await channel.get_exchange(bench.topology.redrive_exchange("fraud"), ensure=False)
        for frame in frames:
            message = Message(
                frame.body,
                content_type=frame.content_type,
                message_id=frame.id,
                headers={
                    "florin-key-id": frame.key_id,
                    "florin-issued-at": frame.issued_at,
                    "florin-signature": frame.signature,
                },
            )
            await exchange.publish(message, frame.routing_key)


def sealed(bench: Bench, *events: Event[Any], key: Key | None = None, routing_key: str = INITIATED) -> Frame:
    """A frame of these events, by default signed as transaction signs."""
    key = key or bench.ring.signing_key("transaction")
    return seal([encode(event) for event in events], routing_key=routing_key, key=key, at=now())


async def count(bench: Bench, table: str) -> int:
    """How many rows a table has."""
    return int(await bench.scalar(f"SELECT count(*) FROM {table}"))


async def settle(bench: Bench, *frames: Frame) -> None:
    """Deliver frames and a good marker behind them, and wait for the marker's effect."""
    marker = payment_initiated()
    await deliver(bench, *frames, sealed(bench, marker))
    async with running(bench.consumer()):
        query = f"SELECT count(*) FROM effects WHERE event_id = '{marker.id}'"
        await eventually(lambda: bench.scalar(query))


def altered(frame: Frame, **changes: Any) -> Frame:
    """The frame with something changed and its signature as it was."""
    fields = {name: getattr(frame, name) for name in Frame.__slots__}
    return Frame(**{**fields, **changes})


ALTERATIONS: dict[str, dict[str, Any]] = {
    "body": {"body": b"[]"},
    "frame id": {"id": "0190a0b0-0000-7000-8000-000000000000"},
    "issued at": {"issued_at": "2026-01-01T00:00:00.000Z"},
    "content type": {"content_type": "application/json"},
    "another type": {"routing_key": "florin.posting.requested.v1"},
    "no signature": {"signature": ""},
    "odd signature": {"signature": "é" * 64},
}


@pytest.mark.parametrize("change", ALTERATIONS.values(), ids=ALTERATIONS.keys())
async def test_a_tampered_frame_has_no_effect_and_is_kept(bench: Bench, change: dict[str, Any]) -> None:
    """Whatever is altered after signing, the frame is quarantined with its bytes."""
    frame = altered(sealed(bench, payment_initiated()), **change)
    await settle(bench, frame)
    assert await bench.scalar("SELECT reason FROM quarantine") == "bad_signature"
    assert bytes(await bench.scalar("SELECT body FROM quarantine")) == frame.body
    assert await count(bench, "effects") == 1, "more than the marker took effect"


async def test_a_signature_moved_to_another_body_is_refused(bench: Bench) -> None:
    """A good signature is good for its own bytes only."""
    other = sealed(bench, payment_initiated(amount_minor=999))
    await settle(bench, altered(sealed(bench, payment_initiated()), body=other.body))
    assert await bench.scalar("SELECT reason FROM quarantine") == "bad_signature"


async def test_an_unknown_key_is_refused(bench: Bench) -> None:
    """A key that is not in the ring verifies nothing, whatever it claims to be."""
    stranger = Key("stranger-1", "transaction", b"x" * 32, active=True)
    await settle(bench, sealed(bench, payment_initiated(), key=stranger))
    assert await bench.scalar("SELECT reason FROM quarantine") == "unknown_key"


async def test_a_forged_secret_under_a_known_key_id_is_refused(bench: Bench) -> None:
    """Knowing the name of a key is not knowing the key."""
    forged = Key(bench.ring.signing_key("transaction").id, "transaction", b"y" * 32, active=True)
    await settle(bench, sealed(bench, payment_initiated(), key=forged))
    assert await bench.scalar("SELECT reason FROM quarantine") == "bad_signature"


async def test_another_producers_type_is_refused(bench: Bench) -> None:
    """Fraud's own key is good, but only transaction may say that a payment was initiated."""
    await settle(bench, sealed(bench, payment_initiated(), key=bench.ring.signing_key("fraud")))
    assert await bench.scalar("SELECT reason FROM quarantine") == "wrong_producer"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "malformed_body"),
        (b"{}", "malformed_body"),
        (b"[]", "malformed_body"),
        (b"[1]", "malformed_body"),
        (b'[{"specversion":"1.0"}]', "malformed_body"),
        (b"\xff\xfe", "malformed_body"),
        (b"[" * 5000, "malformed_body"),
    ],
)
async def test_signed_nonsense_is_quarantined(bench: Bench, body: bytes, reason: str) -> None:
    """A producer that signs what is no batch of events is broken; nothing of it can be believed."""
    key = bench.ring.signing_key("transaction")
    inner = body[1:-1] if body[:1] == b"[" and body[-1:] == b"]" else body
    frame = seal([inner], routing_key=INITIATED, key=key, at=now())
    if body[:1] != b"[":
        frame = resigned(bench, frame, body)
    await settle(bench, frame)
    assert await bench.scalar("SELECT reason FROM quarantine") == reason


def resigned(bench: Bench, frame: Frame, body: bytes) -> Frame:
    """The frame with another body, signed as it should be."""
    key = bench.ring.signing_key("transaction")
    signature = sign(
        key,
        frame_id=frame.id,
        routing_key=frame.routing_key,
        content_type=frame.content_type,
        issued_at=frame.issued_at,
        body=body,
    )
    return altered(frame, body=body, signature=signature)


async def test_a_version_that_nobody_knows_is_quarantined(bench: Bench) -> None:
    """A type outside the catalogue has no rightful producer."""
    frame = sealed(bench, payment_initiated(), routing_key="florin.payment.initiated.v9")
    await settle(bench, frame)
    assert await bench.scalar("SELECT reason FROM quarantine") == "unknown_type"


async def test_a_type_that_this_service_does_not_handle_is_parked(bench: Bench) -> None:
    """A known event in the wrong queue is kept for a person, not dropped."""
    await settle(bench, sealed(bench, posting_requested(), routing_key="florin.posting.requested.v1"))
    assert await bench.scalar("SELECT reason FROM parked") == "no_handler"


async def test_fifty_poison_events_among_five_thousand_park_exactly_fifty(bench: Bench) -> None:
    """Half cannot be read, half make their handler raise; every good one takes effect once."""
    good = [payment_initiated() for _ in range(4950)]
    raising = [payment_initiated(amount_minor=666) for _ in range(25)]
    unreadable = [payment_initiated() for _ in range(25)]
    events: list[Event[Any]] = list(good)
    for i, bad in enumerate(raising + unreadable):
        events.insert(i * 99, bad)
    await bench.add(events)
    await _spoil(bench, unreadable)

    async def handler(connection: AsyncConnection, batch: Sequence[Event[PaymentInitiated]]) -> None:
        await apply_effects(connection, batch)
        for event in batch:
            if event.data.amount_minor == 666:
                raise ValueError("poison")

    async with running(bench.relay(), bench.consumer(bench.processor(handler))):
        await eventually(lambda: done(bench, 5000), timeout_s=60)
    assert await count(bench, "effects") == 4950
    assert await bench.scalar("SELECT count(DISTINCT event_id) FROM effects") == 4950
    assert await bench.scalar("SELECT count(*) FROM parked WHERE reason = 'handler_failed'") == 25
    assert await bench.scalar("SELECT count(*) FROM parked WHERE reason = 'invalid_data'") == 25


async def _spoil(bench: Bench, events: Sequence[Event[Any]]) -> None:
    """Make events unreadable before they are signed, as a broken producer would."""
    admin = await asyncpg.connect(bench.admin_url)
    try:
        await admin.execute("SET session_replication_role = replica")  # the table refuses it otherwise
        await admin.execute(
            "UPDATE transaction.outbox SET body = replace(body, $2, $3) WHERE event_id = ANY($1)",
            [event.id for event in events],
            '"amount_minor":100',
            '"amount_minor":"lots"',
        )
    finally:
        await admin.close()


async def done(bench: Bench, total: int) -> bool:
    """Whether so many events have been handled or parked."""
    return await count(bench, "effects") + await count(bench, "parked") >= total


async def test_a_parked_event_delivered_again_stays_parked_once(bench: Bench) -> None:
    """The inbox remembers it, so that redelivery neither runs it nor parks it twice."""
    event = payment_initiated()
    frame = sealed(bench, event)
    processor = bench.processor(_always_refuse)
    await processor.process([frame])
    await processor.process([frame])
    await bench.processor().process([frame])
    assert await count(bench, "parked") == 1
    assert await count(bench, "effects") == 0


async def _always_refuse(_connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
    raise PermanentFailure("refused", f"not {events[0].id}")


async def test_a_replay_takes_effect_once_and_is_written_down(bench: Bench) -> None:
    """Replaying a parked event runs the handler in the transaction that marks it replayed."""
    event = payment_initiated()
    await bench.processor(_always_refuse).process([sealed(bench, event)])
    async with bench.database.transaction() as connection:
        assert await parked.request_replay(connection, [event.id], author="op", note="fixed") == [event.id]
        assert await parked.request_replay(connection, [event.id], author="op", note="again") == []
    replayer = Replayer(bench.processor(), bench.database.transaction)
    assert await replayer.replay_next()
    assert not await replayer.replay_next()
    assert await bench.scalar("SELECT status FROM parked") == "replayed"
    assert await count(bench, "effects") == 1
    assert await count(bench, "parked_actions") == 1


async def test_a_replay_that_fails_is_parked_again_with_its_new_reason(bench: Bench) -> None:
    """Nothing is lost by trying."""
    event = payment_initiated()
    await bench.processor(_always_refuse).process([sealed(bench, event)])
    async with bench.database.transaction() as connection:
        await parked.request_replay(connection, [event.id], author="op", note="try")

    async def still_bad(_connection: AsyncConnection, _events: Sequence[Event[Any]]) -> None:
        raise PermanentFailure("still_bad", "no better")

    assert await Replayer(bench.processor(still_bad), bench.database.transaction).replay_next()
    assert await bench.scalar("SELECT status || ' ' || reason FROM parked") == "parked still_bad"
    assert await count(bench, "effects") == 0


async def test_an_unroutable_event_does_not_pin_the_relay(bench: Bench) -> None:
    """What the broker returns waits for later; what is routable goes at once; nothing is marked wrongly."""
    lost = payment_initiated()
    await bench.add([lost])
    admin = await asyncpg.connect(bench.admin_url)
    await admin.execute("SET session_replication_role = replica")  # the table refuses it otherwise
    await admin.execute("UPDATE transaction.outbox SET type = 'florin.nobody.hears.v1'")
    await admin.close()
    await bench.add([payment_initiated() for _ in range(10)])
    async with running(bench.relay(), bench.consumer()):
        await eventually(lambda: count_is(bench, "effects", 10))
    assert await bench.scalar("SELECT count(*) FROM outbox_unsent") == 1
    assert await bench.scalar("SELECT attempts FROM outbox_unsent") >= 1


async def count_is(bench: Bench, table: str, expected: int) -> bool:
    """Whether a table has so many rows."""
    return await count(bench, table) == expected


async def test_a_missing_queue_at_the_start_is_told_plainly(bench: Bench) -> None:
    """A service on a broker without its topology says which command to run, and ends."""
    consumer = bench.consumer()
    consumer._queue = "no-such-queue"
    with pytest.raises(TopologyMissing, match="florin topology apply"):
        await consumer.run()


async def test_redrive_counts_what_it_sends_again(bench: Bench) -> None:
    """Everything since a time goes out again; what was not sent yet is left as it is."""
    await bench.add([payment_initiated() for _ in range(3)])
    await bench.relay().relay_once()
    async with bench.database.transaction() as connection:
        first = (await connection.execute(text("SELECT min(created_at) FROM outbox"))).scalar_one()
        assert await outbox.redrive(connection, since=first) == 3
        assert await outbox.redrive(connection, since=first) == 0
