"""Faults of the network between services and their servers: slow, or silent without a word."""

from collections.abc import Sequence

from testkit.proxy import Proxy
from testkit.waiting import eventually

from .arena import MOMENT_S, Arena
from .registry import fault

DELAY_S = 0.1


@fault(timeout_s=150)
async def network_slow(arena: Arena) -> None:
    """Every byte between the services and their servers takes a tenth of a second longer, each way."""
    proxies = [proxy for one in arena.proxies.values() for proxy in (one.postgres, one.rabbitmq)]
    for proxy in proxies:
        proxy.delay_s = DELAY_S
    try:
        await eventually(lambda: all(proxy.delayed > 0 for proxy in proxies), timeout_s=MOMENT_S)
        arena.fired()
        await arena.hold()
    finally:
        for proxy in proxies:
            proxy.delay_s = 0.0


@fault(timeout_s=180)
async def postgres_half_open(arena: Arena) -> None:
    """A service's connections to Postgres stand, new ones are taken, and nothing ever comes back."""
    service = arena.chance.choice(("transaction", "fraud", "account", "notification"))
    await _silent(arena, [arena.proxy(service, "postgres")])


@fault(timeout_s=180)
async def broker_half_open(arena: Arena) -> None:
    """A service's connections to RabbitMQ stand, new ones are taken, and nothing ever comes back."""
    service = arena.chance.choice(("transaction", "fraud", "account", "notification"))
    await _silent(arena, [arena.proxy(service, "rabbitmq")])


async def _silent(arena: Arena, proxies: Sequence[Proxy]) -> None:
    for proxy in proxies:
        proxy.swallowed, proxy.half_open = 0, True
    try:
        await eventually(lambda: all(proxy.swallowed > 0 for proxy in proxies), timeout_s=MOMENT_S)
        arena.fired()
        await arena.hold()
    finally:
        for proxy in proxies:
            proxy.half_open = False
