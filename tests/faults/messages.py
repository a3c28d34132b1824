"""Faults of messages: too many of them, out of order, asked anew, and none that anybody should believe."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import orjson
from contracts.catalogue import BY_NAME, SERVICES
from messaging.frame import Frame
from testkit.waiting import eventually
from uuid_utils.compat import uuid7

from .arena import Arena
from .forging import Forge, counted, events_of, tapped
from .registry import fault

TIMES = 10
EVENTS = 600
HANDLED_S = 40.0
DUPLICATES = "florin_inbox_duplicates_total"
# Questions and answers; notices are facts that nobody asks for twice.
REPEATABLE = (
    "florin.payment.initiated.v1",
    "florin.fraud.assessed.v1",
    "florin.posting.requested.v1",
    "florin.posting.completed.v1",
    "florin.posting.declined.v1",
)


@fault(short=True, timeout_s=90)
async def ten_times_in_any_order(arena: Arena) -> None:
    """Every message comes ten times more, in any order, among those that come for the first time."""
    forge = Forge(arena.stack)
    frames = await _overheard(arena)
    events = sum(len(events_of(frame)) * len(_consumers(frame)) for frame in frames)
    before = await counted(arena.stack, DUPLICATES)
    refused_before = await _refused(arena)
    for service in SERVICES:
        copies = [frame for frame in frames if service in _consumers(frame)] * TIMES
        arena.chance.shuffle(copies)
        await forge.deliver(service, copies)

    async def dropped() -> int:
        return int(await counted(arena.stack, DUPLICATES) - before)

    async def all_dropped() -> bool:
        return await dropped() >= events * TIMES

    await eventually(all_dropped, timeout_s=HANDLED_S, every_s=0.2)
    arena.fired(await dropped())
    if refused := await _refused(arena) - refused_before:
        arena.wrong(f"sound copies were refused: {dict(refused)}")


@fault(timeout_s=90)
async def asked_and_answered_anew(arena: Arena) -> None:
    """Questions and answers come again under new ids, in any order, as after a restore: none may move money
    or a payment a second time."""
    forge = Forge(arena.stack)
    frames = [frame for frame in await _overheard(arena) if frame.routing_key in REPEATABLE]
    refused_before = await _refused(arena)
    arena.chance.shuffle(frames)
    for service in SERVICES:
        again = [_under_new_ids(forge, frame) for frame in frames if service in _consumers(frame)]
        ids = [UUID(event["id"]) for frame in again for event in events_of(frame)]
        await forge.deliver(service, again)
        arena.fired(await _taken_in(arena, service, ids))
    if refused := await _refused(arena) - refused_before:
        arena.wrong(f"sound repetitions were refused: {dict(refused)}")


async def _overheard(arena: Arena) -> list[Frame]:
    """The frames of a while of load."""
    async with tapped(arena.stack) as heard:
        await eventually(lambda: heard.events() >= EVENTS * arena.pace.moments, timeout_s=HANDLED_S)
    return heard.frames


def _consumers(frame: Frame) -> Sequence[str]:
    return BY_NAME[frame.routing_key].consumers


def _under_new_ids(forge: Forge, frame: Frame) -> Frame:
    again = [orjson.dumps({**event, "id": str(uuid7())}) for event in events_of(frame)]
    return forge.sealed(frame.routing_key, *again)


async def _taken_in(arena: Arena, service: str, ids: Sequence[UUID]) -> int:
    """Returns once the service has handled all of them; how many there are."""
    async with arena.auditor() as connection:

        async def all_handled() -> bool:
            handled = await connection.fetchval(
                f"SELECT count(*) FROM {service}.inbox WHERE event_id = ANY($1)", ids
            )
            return bool(handled == len(ids))

        await eventually(all_handled, timeout_s=HANDLED_S, every_s=0.1)
    return len(ids)


async def _refused(arena: Arena) -> Counter[str]:
    """All that was ever parked or quarantined, by service and reason."""
    refused: Counter[str] = Counter()
    async with arena.auditor() as connection:
        for service in SERVICES:
            for table in ("parked", "quarantine"):
                rows = await connection.fetch(
                    f"SELECT reason, count(*) AS times FROM {service}.{table} GROUP BY reason"
                )
                refused.update({f"{service} {table} {row['reason']}": row["times"] for row in rows})
    return refused
