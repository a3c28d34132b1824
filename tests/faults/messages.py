"""Faults of messages: too many of them, out of order, asked anew, and none that anybody should believe."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

import orjson
from contracts.catalogue import BY_NAME, SERVICES
from florin import parked_events
from florin.clients import api_client
from messaging.frame import Frame
from testkit.waiting import eventually
from uuid_utils.compat import uuid7

from .arena import Arena
from .counterfeits import CONTRADICTING, UNBELIEVABLE, UNMANAGEABLE, Bad, Victims
from .forging import Forge, counted, events_of, tapped
from .journal import Intent, now
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


@fault(timeout_s=180)
async def fifty_bad_among_five_thousand(arena: Arena) -> None:
    """Fifty bad messages of seventeen kinds among 5,000 good payments: exactly fifty end in parked and
    quarantine, each for its reason, and all the good ones are settled."""
    forge = Forge(arena.stack)
    async with arena.without_load():
        await arena.payer.open_accounts(["BAD-A", "BAD-B"], balance_minor=100_000_000)
        victims = await _victims(arena)
        before, parked_before = await _refused(arena), await _parked(arena)
        alone_s = await _settled(arena, "alone", bad=[], forge=forge)
        bad = _fifty(forge, victims)
        among_s = await _settled(arena, "among", bad=bad, forge=forge)
        expected = before + Counter(f"{one.service} {one.table} {one.reason}" for one in bad)

        async def all_refused() -> bool:
            refused = await _refused(arena)
            assert refused == expected, f"{expected - refused} to come, {refused - expected} too many"
            return True

        await eventually(all_refused, timeout_s=HANDLED_S, every_s=0.2)
    arena.fired(len(bad))
    arena.note(
        f"2,500 payments were settled in {alone_s:.1f} s alone, and among fifty bad in {among_s:.1f} s"
    )
    await _decide(arena, victims, await _parked(arena) - parked_before)


def _fifty(forge: Forge, victims: Victims) -> list[Bad]:
    """Every kind in turn, until there are fifty."""
    kinds = (
        *UNBELIEVABLE,
        *UNMANAGEABLE,
        *(lambda forge, make=make: make(forge, victims) for make in CONTRADICTING),
    )
    return [kinds[number % len(kinds)](forge) for number in range(50)]


async def _victims(arena: Arena) -> Victims:
    """A payment that is settled, and one of an amount that a person has to look at."""
    settled = Intent(arena.payer.key("lied-about"), "BAD-A", "BAD-B", 100)
    large = Intent(arena.payer.key("lied-about"), "BAD-A", "BAD-B", 2_000_000)
    told = await arena.payer.pay(settled, wait_s=10)
    assert told.told == "SETTLED", f"a payment among peace was not settled: {told}"
    held = await arena.payer.pay(large)

    async def in_review() -> bool:
        reply = await arena.payer.payments.get(f"/v1/payments/{held.payment_id}")
        return bool(reply.body["status"] == "REVIEW")

    await eventually(in_review, timeout_s=HANDLED_S)
    facts = {"debtor": "BAD-A", "creditor": "BAD-B", "amount_minor": 100, "currency": "EUR"}
    return Victims(
        {"payment_id": UUID(str(told.payment_id)), "client_id": "demo", "kind": "transfer", **facts},
        UUID(str(held.payment_id)),
    )


async def _settled(arena: Arena, what: str, *, bad: Sequence[Bad], forge: Forge) -> float:
    """2,500 payments, the bad messages strewn among them; returns how long until all were settled."""
    began = now()
    delivering = []
    every = len(bad) // 25
    keys: list[str] = []
    for batch in range(25):
        intents = [Intent(arena.payer.key(what), "BAD-A", "BAD-B", 1) for _ in range(100)]
        keys += [intent.key for intent in intents]
        # Beside the payments: what is measured is how the services bear it, not how fast it is sent.
        delivering += [
            asyncio.create_task(forge.deliver(one.service, [one.frame]))
            for one in bad[batch * every : (batch + 1) * every]
        ]
        await arena.payer.pay_together(intents)
    await asyncio.gather(*delivering)

    async def all_settled() -> bool:
        async with arena.auditor() as connection:
            count = await connection.fetchval(
                "SELECT count(*) FROM transaction.payments p JOIN transaction.payment_states s "
                "ON s.payment_id = p.id AND s.status = 'SETTLED' WHERE p.idempotency_key = ANY($1)",
                keys,
            )
        return bool(count == len(keys))

    await eventually(all_settled, timeout_s=60, every_s=0.1)
    return now() - began


async def _decide(arena: Arena, victims: Victims, lies: Collection[UUID]) -> None:
    """The lies are discarded and the person decides: the payment goes on as if nobody had lied."""
    await arena.florin("parked", "discard", *map(str, lies), "--note", "lies")
    async with api_client(arena.stack.surroundings, "fraud") as http:
        decided = await http.post(
            f"/v1/reviews/{victims.in_review}/decision",
            json={"decision": "approve", "reason": "sound after all"},
            headers={"Idempotency-Key": arena.payer.key("decision")},
        )
        assert decided.status_code == 200, decided.text


async def _parked(arena: Arena) -> set[UUID]:
    """The ids of all that waits for a person now."""
    return set(await parked_events.all_parked(arena.stack.surroundings, SERVICES))


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
