"""Frames that the broker gave up on, sent back to the queue they came from.

A frame goes back through the service's redrive exchange with its own routing key and headers, or its
signature would no longer fit, and is taken off the dead queue only once the broker has confirmed it. Ended
between the two it is in both queues, which the inbox makes harmless.
"""

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, QueueEmpty
from pamqp.commands import Basic

from messaging.failures import BrokerUnavailable, TopologyMissing
from messaging.topology import Topology

_TIMEOUT_S = 10.0
# What the broker adds when it gives up on a message; sent along, it would grow with every round.
_BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")


async def redrive(channel: AbstractChannel, topology: Topology, service: str) -> int:
    """Send back what lies in the dead queue of `service` now; returns how many frames.

    The channel must have publisher confirms and raise on returned messages, as `broker.open_channel` gives
    it. Raises `TopologyMissing`, and `BrokerUnavailable` when a frame is not confirmed: that one and those
    behind it stay where they are.
    """
    name = topology.dead_queue(service)
    try:
        declared = await channel.declare_queue(name, passive=True, timeout=_TIMEOUT_S)
    except ChannelNotFoundEntity as error:
        raise TopologyMissing(f"the broker has no queue {name}: run `florin topology apply`") from error
    exchange = await channel.get_exchange(topology.redrive_exchange(service), ensure=False)
    # Bounded by what was there at first: one that dies again meanwhile must not go round for ever.
    waiting = declared.declaration_result.message_count or 0
    for sent in range(waiting):
        try:
            dead = await declared.get(timeout=_TIMEOUT_S)
        except QueueEmpty:
            return sent
        try:
            answer = await exchange.publish(
                _again(dead), dead.routing_key or "", mandatory=True, timeout=_TIMEOUT_S
            )
        except DeliveryError as error:
            await dead.nack(requeue=True)
            raise BrokerUnavailable(f"the broker did not take a frame back into {service}'s queue") from error
        if not isinstance(answer, Basic.Ack):
            await dead.nack(requeue=True)
            raise BrokerUnavailable(f"the broker did not confirm a frame for {service}'s queue")
        await dead.ack()
    return waiting


def _again(dead: AbstractIncomingMessage) -> Message:
    headers = {name: value for name, value in dead.headers.items() if not name.startswith(_BROKERS_OWN)}
    return Message(
        dead.body,
        content_type=dead.content_type,
        message_id=dead.message_id,
        delivery_mode=DeliveryMode.PERSISTENT,
        headers=headers,
    )
