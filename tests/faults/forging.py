"""Frames put into a service's queue by hand: copies, repetitions, and what nobody should believe."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson
from aio_pika.abc import AbstractIncomingMessage
from contracts.catalogue import BY_NAME, SERVICES
from florin.credentials import keyring_file
from florin.ports import HOST
from florin.stack import Stack
from messaging.broker import open_channel
from messaging.frame import Frame, seal
from messaging.publisher import Publisher, Receipt
from messaging.signing import Key, KeyRing
from messaging.topology import Topology

# Frames on their way to the broker at once.
_TOGETHER = 200


@dataclass(frozen=True)
class _StraightTo(Topology):
    """The redrive exchange of one service in the place of the one that all frames are published to: frames
    reach that service alone, and keep the routing key that they were signed with."""

    service: str = ""

    @property
    def exchange(self) -> str:
        return self.redrive_exchange(self.service)


class Forge:
    """Seals frames with the services' own keys, or with none of them, and delivers them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ring = KeyRing.load(keyring_file(stack.run_dir))

    def key_of(self, service: str) -> Key:
        """The key that a service signs with."""
        return self.ring.signing_key(service)

    def sealed(self, routing_key: str, *bodies: bytes, key: Key | None = None) -> Frame:
        """A frame of its type's own producer, or signed with another key."""
        signing = key or self.key_of(BY_NAME[routing_key].producer)
        return seal(bodies, routing_key=routing_key, key=signing, at=datetime.now(UTC))

    async def deliver(self, service: str, frames: Sequence[Frame]) -> None:
        """Returns when the broker has confirmed every frame into the service's queue."""
        surroundings = self.stack.surroundings
        topology = _StraightTo(surroundings.namespace, service=service)
        publisher = Publisher(surroundings.broker_url, topology, name="forge")
        await publisher.open()
        try:
            for begin in range(0, len(frames), _TOGETHER):
                receipts = await asyncio.gather(
                    *(publisher.publish(frame) for frame in frames[begin : begin + _TOGETHER])
                )
                assert set(receipts) == {Receipt.CONFIRMED}, f"the broker did not take a frame: {receipts}"
        finally:
            await publisher.close()


@dataclass
class Heard:
    """What passed a tap, in the order in which it did."""

    frames: list[Frame] = field(default_factory=list)

    def events(self) -> int:
        """How many events are in the frames."""
        return sum(len(events_of(frame)) for frame in self.frames)


@asynccontextmanager
async def tapped(stack: Stack) -> AsyncIterator[Heard]:
    """Hears every frame that any service publishes during the block, through a queue of its own."""
    surroundings = stack.surroundings
    heard = Heard()

    async def hear(message: AbstractIncomingMessage) -> None:
        heard.frames.append(_frame(message))

    async with open_channel(surroundings.broker_url, name="tap") as channel:
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        await queue.bind(Topology(surroundings.namespace).exchange, "#")
        tag = await queue.consume(hear, no_ack=True)
        try:
            yield heard
        finally:
            await queue.cancel(tag)


def events_of(frame: Frame) -> list[dict[str, Any]]:
    """The events of a frame that is known to be sound."""
    events: list[dict[str, Any]] = orjson.loads(frame.body)
    return events


async def counted(stack: Stack, metric: str, services: Sequence[str] = SERVICES) -> float:
    """A counter of the services' processes, all its labels and all services together."""
    total = 0.0
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        for service in services:
            answer = await http.get(f"http://{HOST}:{stack.ports.internal(service)}/metrics")
            for line in answer.text.splitlines():
                if line.startswith((f"{metric} ", f"{metric}{{")):
                    total += float(line.rpartition(" ")[2])
    return total


def _frame(message: AbstractIncomingMessage) -> Frame:
    headers = message.headers
    return Frame(
        id=message.message_id or "",
        routing_key=message.routing_key or "",
        content_type=message.content_type or "",
        key_id=str(headers["florin-key-id"]),
        issued_at=str(headers["florin-issued-at"]),
        signature=str(headers["florin-signature"]),
        body=message.body,
    )
