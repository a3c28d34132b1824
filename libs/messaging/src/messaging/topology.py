"""Exchanges and queues, from one definition, declared by one step: `florin topology apply`.

For a namespace `florin`: topic exchange `florin.events`; for each service a quorum queue `florin.<service>`
bound by the routing keys that the catalogue lets it hear, a fanout `florin.<service>.redrive` into the same
queue, and a fanout `florin.<service>.dead` into the quorum queue `florin.<service>.dead`, where the broker
puts what it gave up on after `DELIVERY_LIMIT` attempts.
"""

from dataclasses import dataclass

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from contracts.catalogue import SERVICES, heard_by

from messaging.failures import TopologyMissing

# High, because the limit also condemns the innocent frames that were prefetched beside a poison one.
DELIVERY_LIMIT = 20
# A dead queue is only looked at; browsing puts messages back, and must never be what drops them.
_BROWSING_LIMIT = 1_000_000_000
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Topology:
    """The names under one namespace, so that several installations or tests can share a broker."""

    namespace: str = "florin"

    @property
    def exchange(self) -> str:
        """The exchange that every frame is published to."""
        return f"{self.namespace}.events"

    def queue(self, service: str) -> str:
        """The queue that `service` consumes."""
        return f"{self.namespace}.{service}"

    def redrive_exchange(self, service: str) -> str:
        """The exchange through which dead frames go back, keeping their signed routing key."""
        return f"{self.namespace}.{service}.redrive"

    def dead_queue(self, service: str) -> str:
        """The queue, and the exchange before it, for what the broker gave up on."""
        return f"{self.namespace}.{service}.dead"


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Create what is missing. Raises `TopologyMissing` if something stands there with other arguments."""
    try:
        events = await channel.declare_exchange(
            topology.exchange, ExchangeType.TOPIC, durable=True, timeout=_TIMEOUT_S
        )
        for service in SERVICES:
            dead_name = topology.dead_queue(service)
            dead = await channel.declare_exchange(
                dead_name, ExchangeType.FANOUT, durable=True, timeout=_TIMEOUT_S
            )
            dead_queue = await channel.declare_queue(
                dead_name,
                durable=True,
                arguments={"x-queue-type": "quorum", "x-delivery-limit": _BROWSING_LIMIT},
                timeout=_TIMEOUT_S,
            )
            await dead_queue.bind(dead, timeout=_TIMEOUT_S)
            queue = await channel.declare_queue(
                topology.queue(service),
                durable=True,
                arguments={
                    "x-queue-type": "quorum",
                    "x-delivery-limit": DELIVERY_LIMIT,
                    "x-dead-letter-exchange": dead_name,
                    # At-least-once dead-lettering asks for this overflow behaviour; the queue has no bound.
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
                timeout=_TIMEOUT_S,
            )
            redrive = await channel.declare_exchange(
                topology.redrive_exchange(service), ExchangeType.FANOUT, durable=True, timeout=_TIMEOUT_S
            )
            await queue.bind(redrive, timeout=_TIMEOUT_S)
            for entry in heard_by(service):
                await queue.bind(events, entry.name, timeout=_TIMEOUT_S)
    except ChannelPreconditionFailed as error:
        raise TopologyMissing(f"the broker holds a different definition: {error}") from error


async def delete(channel: AbstractChannel, topology: Topology) -> None:
    """Remove everything under the namespace, with what is still queued there."""
    for service in SERVICES:
        for queue in (topology.queue(service), topology.dead_queue(service)):
            await channel.queue_delete(queue, timeout=_TIMEOUT_S)
        for exchange in (topology.redrive_exchange(service), topology.dead_queue(service)):
            await channel.exchange_delete(exchange, timeout=_TIMEOUT_S)
    await channel.exchange_delete(topology.exchange, timeout=_TIMEOUT_S)


async def depths(channel: AbstractChannel, topology: Topology) -> dict[str, int]:
    """Return how many frames are ready in each queue, dead queues among them."""
    names = [name for s in SERVICES for name in (topology.queue(s), topology.dead_queue(s))]
    counts = {}
    for name in names:
        try:
            queue = await channel.declare_queue(name, passive=True, timeout=_TIMEOUT_S)
        except ChannelNotFoundEntity as error:
            raise TopologyMissing(f"the broker has no queue {name}: run `florin topology apply`") from error
        counts[name] = queue.declaration_result.message_count or 0
    return counts
