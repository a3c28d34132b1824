"""Faults at the other end: webhook receivers that are slow, down, lying, late, or without an end."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from florin.clients import api_client
from florin.ports import HOST
from testkit.waiting import eventually

from .arena import Arena
from .calls import Caller
from .journal import Intent
from .payer import Payer
from .registry import fault

PAYMENTS = 200
TOLD_S = 60.0
# A circuit that has opened, and opened again after a probe, is probed within a minute and a quarter.
PROBED_S = 120.0
CLIENT = "operator"
HEALTHY, TRAP = "healthy", "trap"
# How long a receiver that never ends goes on: longer than any sender waits.
ENDLESS_S = 40.0


@fault(timeout_s=300)
async def receivers_misbehave(arena: Arena) -> None:
    """Nine webhook receivers of one client misbehave, each in its own way, and one does not: payments go on,
    the good one hears of everything in time, and whatever the others did not take is kept for them."""
    payer = _payer(arena)
    async with (
        _receiving() as world,
        api_client(arena.stack.surroundings, "notification", client=CLIENT) as http,
    ):
        endpoints = {way: await _register(arena, http, world, way) for way in (HEALTHY, *WAYS)}
        try:
            told = await _pay(arena, payer)
            await arena.answering()
            await eventually(lambda: told <= world.told[HEALTHY], timeout_s=TOLD_S)
            await eventually(lambda: all(world.requests[way] for way in WAYS), timeout_s=TOLD_S)
            arena.fired(sum(world.requests[way] for way in WAYS))
            if world.requests[TRAP]:
                arena.wrong(f"{world.requests[TRAP]} redirects of a webhook receiver were followed")
            world.healed = True
            for way, endpoint in endpoints.items():
                await _nothing_lost(arena, world, way, endpoint)
        finally:
            for endpoint in endpoints.values():
                await http.delete(f"/v1/webhook-endpoints/{endpoint}")


@dataclass
class World:
    """What the receivers have heard, by the way in which each behaves. `told` are payments' ids."""

    port: int = 0
    healed: bool = False
    requests: Counter[str] = field(default_factory=Counter)
    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def url(self, way: str) -> str:
        """Where one of them listens."""
        return f"http://{HOST}:{self.port}/{way}"


Way = Callable[[World, asyncio.StreamWriter], Awaitable[None]]


async def _silent(_world: World, _writer: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await asyncio.sleep(ENDLESS_S)


async def _late(_world: World, writer: asyncio.StreamWriter) -> None:
    """Says yes, long after nobody listens any more."""
    await asyncio.sleep(ENDLESS_S / 2 + 2)
    await _say(writer, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


async def _slow(_world: World, writer: asyncio.StreamWriter) -> None:
    """Says yes, one letter a second."""
    for letter in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n":
        await _say(writer, bytes([letter]))
        await asyncio.sleep(1)


async def _down(_world: World, writer: asyncio.StreamWriter) -> None:
    """Resets the connection."""
    writer.transport.abort()


async def _failing(_world: World, writer: asyncio.StreamWriter) -> None:
    """Answers 500."""
    await _say(writer, b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno")


async def _elsewhere(world: World, writer: asyncio.StreamWriter) -> None:
    """Sends whoever asks somewhere else."""
    location = world.url(TRAP).encode()
    await _say(writer, b"HTTP/1.1 307 Elsewhere\r\nlocation: " + location + b"\r\ncontent-length: 0\r\n\r\n")


async def _endless(_world: World, writer: asyncio.StreamWriter) -> None:
    """Says no with a body that does not end."""
    await _say(writer, b"HTTP/1.1 503 No\r\n\r\n")
    await _forever(writer, b"x" * 65_536)


async def _prelude(_world: World, writer: asyncio.StreamWriter) -> None:
    """Says that it will say something, without end."""
    await _forever(writer, b"HTTP/1.1 100 Continue\r\n\r\n")


async def _lying(_world: World, writer: asyncio.StreamWriter) -> None:
    """Answers what is no HTTP."""
    await _say(writer, b"HTTP/9.9 yes yes, all is well\r\ncontent-length: -1\r\n\r\n")


WAYS: Mapping[str, Way] = {
    "silent": _silent,
    "late": _late,
    "slow": _slow,
    "down": _down,
    "failing": _failing,
    "elsewhere": _elsewhere,
    "endless": _endless,
    "prelude": _prelude,
    "lying": _lying,
}


async def _say(writer: asyncio.StreamWriter, what: bytes) -> None:
    writer.write(what)
    await writer.drain()


async def _forever(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    async with asyncio.timeout(ENDLESS_S):
        while True:
            await _say(writer, chunk)
            # A receiver of our own must not take the machine from the services.
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _receiving() -> AsyncIterator[World]:
    """All receivers behind one port; the path says how to behave, until healed."""
    world = World()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "servers run in tasks"
        serving.add(task)
        try:
            await _serve(world, reader, writer)
        # RuntimeError is how the loop's library tells that the other side is gone.
        except (OSError, EOFError, TimeoutError, RuntimeError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    world.port = server.sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve(world: World, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        way = head.split(" ")[1].lstrip("/")
        length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
        body = await reader.readexactly(length)
        world.requests[way] += 1
        if way in WAYS and not world.healed:
            await WAYS[way](world, writer)
            raise EOFError
        world.told[way].add(_payment_in(body))
        await _say(writer, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


def _payment_in(body: bytes) -> str:
    return body.partition(b'"payment_id":"')[2][:36].decode()


def _payer(arena: Arena) -> Payer:
    """Payments of another client than the load's, of which the receivers are told."""
    ports, key = arena.stack.ports, arena.stack.credentials.api_keys[CLIENT]
    return Payer(
        Caller(ports.api("transaction"), api_key=key),
        Caller(ports.api("account"), api_key=key),
        arena.payer.journal,
        name=f"{arena.payer.name}-{CLIENT}",
        chance=arena.chance,
    )


async def _register(arena: Arena, http: httpx2.AsyncClient, world: World, way: str) -> str:
    answer = await http.post(
        "/v1/webhook-endpoints",
        json={"url": world.url(way), "event_types": ["payment.settled", "payment.rejected"]},
        headers={"Idempotency-Key": arena.payer.key("endpoint")},
    )
    assert answer.status_code == 201, f"an endpoint was refused: {answer.text}"
    return str(answer.json()["id"])


async def _pay(arena: Arena, payer: Payer) -> set[str]:
    """Makes payments, one request each; returns their ids."""
    one, other = (f"HEARD-{arena.chance.getrandbits(40):010x}" for _ in range(2))
    await payer.open_accounts([one, other], balance_minor=PAYMENTS)
    intents = [Intent(payer.key("heard"), one, other, 1) for _ in range(PAYMENTS)]
    answers = await asyncio.gather(*(payer.pay(intent) for intent in intents))
    return {str(answer.payment_id) for answer in answers}


async def _nothing_lost(arena: Arena, world: World, way: str, endpoint: str) -> None:
    """Each payment has a delivery to the endpoint: made, or still to be made."""
    async with arena.auditor() as connection:

        async def some_made() -> bool:
            # At once where the circuit is closed, else with the next probe.
            return bool(world.told[way])

        with contextlib.suppress(AssertionError):
            await eventually(some_made, timeout_s=PROBED_S)
        rows = await connection.fetch(
            "SELECT payment_id::text AS payment, status FROM notification.webhook_deliveries "
            "WHERE endpoint_id = $1::uuid",
            endpoint,
        )
    by_status = Counter(row["status"] for row in rows)
    if by_status.keys() - {"pending", "delivered"} or len(rows) != PAYMENTS:
        arena.wrong(f"of {PAYMENTS} deliveries to a receiver that was {way}: {dict(by_status)}")
    if not world.told[way]:
        arena.wrong(f"a receiver that was {way} heard of nothing once it was well")
    made = {row["payment"] for row in rows if row["status"] == "delivered"}
    if unheard := made - world.told[way]:
        arena.wrong(f"{len(unheard)} deliveries to a receiver that was {way} count as made and were not")
