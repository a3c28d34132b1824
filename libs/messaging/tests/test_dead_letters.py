"""Frames that the broker gave up on go back whole, once confirmed, and take effect once."""

from aio_pika import Message
from aio_pika.abc import HeadersType
from messaging import broker, dead_letters
from messaging.event import encode
from messaging.frame import CONTENT_TYPE, Frame, seal
from messaging.topology import depths
from testkit.bus import Bench, now, payment_initiated, running
from testkit.waiting import eventually


async def _bury(bench: Bench, frame: Frame) -> None:
    """Puts a frame into fraud's dead queue as the broker does: routing key and headers as they were."""
    async with broker.open_channel(bench.broker_url, name="test burial") as channel:
        dead = await channel.get_exchange(bench.topology.dead_queue("fraud"), ensure=False)
        headers: HeadersType = {
            "florin-key-id": frame.key_id,
            "florin-issued-at": frame.issued_at,
            "florin-signature": frame.signature,
            "x-delivery-count": 21,
        }
        message = Message(frame.body, content_type=CONTENT_TYPE, message_id=frame.id, headers=headers)
        await dead.publish(message, frame.routing_key)


def _frame(bench: Bench, count: int) -> Frame:
    events = [payment_initiated() for _ in range(count)]
    return seal(
        [encode(event) for event in events],
        routing_key=events[0].type,
        key=bench.ring.signing_key("transaction"),
        at=now(),
    )


async def _redrive(bench: Bench) -> int:
    async with broker.open_channel(bench.broker_url, name="test redrive") as channel:
        return await dead_letters.redrive(channel, bench.topology, "fraud")


async def test_dead_frames_go_back_and_are_believed(bench: Bench) -> None:
    """Routing key, id and signature come along, or the consumer would put them into quarantine."""
    await _bury(bench, _frame(bench, 3))
    await _bury(bench, _frame(bench, 2))
    assert await _redrive(bench) == 2
    async with running(bench.consumer()):
        await eventually(lambda: _count(bench, "effects", 5))
    assert await bench.scalar("SELECT count(*) FROM quarantine") == 0
    async with broker.open_channel(bench.broker_url, name="test look") as channel:
        assert set((await depths(channel, bench.topology)).values()) == {0}


async def test_a_frame_driven_again_takes_effect_once(bench: Bench) -> None:
    """It may have been handled before the broker gave it up."""
    frame = _frame(bench, 4)
    async with running(bench.consumer()):
        for _ in range(2):
            await _bury(bench, frame)
            assert await _redrive(bench) == 1
        last = _frame(bench, 1)
        await _bury(bench, last)
        await _redrive(bench)
        await eventually(lambda: _count(bench, "effects", 5))
    assert await bench.scalar("SELECT count(DISTINCT event_id) FROM effects") == 5


async def test_an_empty_dead_queue_gives_nothing(bench: Bench) -> None:
    """And waits for nothing."""
    assert await _redrive(bench) == 0


async def _count(bench: Bench, table: str, wanted: int) -> bool:
    return bool(await bench.scalar(f"SELECT count(*) = {wanted} FROM {table}"))
