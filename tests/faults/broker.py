"""Faults of the broker: killed, stopped, wiped, robbed of a queue or a binding, out of memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from florin.backing import rabbitmq_programs
from testkit.waiting import eventually

from .arena import Arena
from .journal import Intent, Outcome
from .payer import CANARY
from .registry import fault

# How far back to send again: whatever may have lain in a queue when it was lost.
LOST_S = 10.0
_VHOST = quote("/", safe="")


@fault(short=True, timeout_s=120)
async def broker_killed(arena: Arena) -> None:
    """RabbitMQ is SIGKILLed and started again; payments are accepted meanwhile."""
    await _away(arena, lambda: arena.kill("rabbitmq"))
    await arena.start("rabbitmq")


@fault(timeout_s=180)
async def broker_stopped(arena: Arena) -> None:
    """RabbitMQ is stopped in good order for a while; payments are accepted meanwhile."""
    await _away(arena, lambda: arena.stop("rabbitmq"))
    await arena.hold()
    await arena.start("rabbitmq")


@fault(timeout_s=180)
async def broker_wiped(arena: Arena) -> None:
    """RabbitMQ is SIGKILLed and loses all its data: exchanges, queues and what lay in them. A person applies
    the topology and drives again what was sent."""
    lost_since = _moment()
    await _away(arena, lambda: arena.kill("rabbitmq"))
    await asyncio.to_thread(arena.broker.wipe)
    await arena.start("rabbitmq")
    async with arena.management() as management:
        queues = (await management.get(f"/api/queues/{_VHOST}")).json()
        assert queues == [], f"the wiped broker still has queues: {queues}"
    await _restore(arena, lost_since)


@fault(short=True, timeout_s=120)
async def queue_deleted(arena: Arena) -> None:
    """A service's queue is deleted with all that lies in it. A person applies the topology and drives again
    what was sent."""
    service = arena.chance.choice(("transaction", "fraud", "account", "notification"))
    lost_since = _moment()
    async with arena.management() as management:
        answer = await management.delete(f"/api/queues/{_VHOST}/florin.{service}")
        assert answer.status_code == 204, answer.text
    arena.fired()
    await _restore(arena, lost_since)


@fault(timeout_s=120)
async def binding_removed(arena: Arena) -> None:
    """All bindings of a service's queue are removed, so that what is meant for it goes nowhere. A person
    applies the topology and drives again what was sent."""
    service = arena.chance.choice(("transaction", "fraud", "account", "notification"))
    lost_since = _moment()
    removed = 0
    async with arena.management() as management:
        queue = f"florin.{service}"
        bindings = (await management.get(f"/api/queues/{_VHOST}/{queue}/bindings")).json()
        for binding in bindings:
            if binding["source"]:
                way = f"/e/{quote(binding['source'], safe='')}/q/{queue}/{binding['properties_key']}"
                answer = await management.delete(f"/api/bindings/{_VHOST}{way}")
                assert answer.status_code == 204, answer.text
                removed += 1
    assert removed, f"{queue} has no bindings"
    arena.fired()
    # Long enough for something to go nowhere.
    await arena.payer.pay(_small_payment(arena))
    await _restore(arena, lost_since)


@fault(timeout_s=180)
async def memory_alarm(arena: Arena) -> None:
    """RabbitMQ has no memory left and lets nobody publish; payments are accepted meanwhile."""
    await _set_watermark(arena, "absolute", "1MB")
    try:
        await eventually(lambda: _alarm(arena), timeout_s=20, every_s=0.2)
        arena.fired()
        await _still_accepts(arena)
        await arena.hold()
    finally:
        await _set_watermark(arena, "0.6")
    await eventually(lambda: _no_alarm(arena), timeout_s=20, every_s=0.2)


async def _away(arena: Arena, leave: Callable[[], Awaitable[None]]) -> None:
    await leave()
    assert not arena.broker.running(), "the broker is still there"
    arena.fired()
    await _still_accepts(arena)


async def _still_accepts(arena: Arena) -> None:
    """An outage of the broker is not the payer's business: the outbox takes what the broker cannot."""
    answer = await arena.payer.pay(_small_payment(arena))
    if answer.outcome is not Outcome.OK or answer.attempt > 1:
        arena.wrong(f"without a broker a payment was answered {answer.status} in {answer.attempt} attempts")


async def _restore(arena: Arena, lost_since: datetime) -> None:
    await arena.florin("topology", "apply")
    await arena.florin("redrive", "--since", lost_since.isoformat())


async def _set_watermark(arena: Arena, *value: str) -> None:
    """`rabbitmqctl set_vm_memory_high_watermark`, beside the node and as its account."""
    program = rabbitmq_programs.find().server.with_name("rabbitmqctl")
    process = await asyncio.create_subprocess_exec(
        *(str(program), "set_vm_memory_high_watermark", *value),
        env=arena.broker.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()


async def _alarm(arena: Arena) -> bool:
    async with arena.management() as management:
        nodes = (await management.get("/api/nodes")).json()
    return any(node["mem_alarm"] for node in nodes)


async def _no_alarm(arena: Arena) -> bool:
    return not await _alarm(arena)


def _moment() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=LOST_S)


def _small_payment(arena: Arena) -> Intent:
    return Intent(arena.payer.key(), *CANARY, amount_minor=1)
