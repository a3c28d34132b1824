"""Exchanges and queues on the broker: the messaging library holds their definition, this step applies it."""

from messaging import topology
from messaging.broker import open_channel

CLIENT_NAME = "florin-topology"


async def apply(broker_url: str, namespace: str) -> None:
    """Declares what is missing; messaging.failures.TopologyMissing when something else stands there."""
    async with open_channel(broker_url, name=CLIENT_NAME) as channel:
        await topology.declare(channel, topology.Topology(namespace))


async def remove(broker_url: str, namespace: str) -> None:
    """Removes everything under the namespace, with what is still queued there."""
    async with open_channel(broker_url, name=CLIENT_NAME) as channel:
        await topology.delete(channel, topology.Topology(namespace))
