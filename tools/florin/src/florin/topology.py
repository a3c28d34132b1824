"""Exchanges and queues on the broker: the messaging library holds their definition, this step applies it.

That library is imported where it is used: it takes a second to load, and most commands do without.
"""

from florin.errors import StackError

CLIENT_NAME = "florin-topology"


async def apply(broker_url: str, namespace: str) -> None:
    """Declares what is missing; StackError when something else stands there or the broker is away."""
    from messaging import topology
    from messaging.broker import open_channel
    from messaging.failures import BrokerUnavailable, TopologyMissing

    try:
        async with open_channel(broker_url, name=CLIENT_NAME) as channel:
            await topology.declare(channel, topology.Topology(namespace))
    except (BrokerUnavailable, TopologyMissing) as error:
        raise StackError(str(error)) from error


async def remove(broker_url: str, namespace: str) -> None:
    """Removes everything under the namespace, with what is still queued there."""
    from messaging import topology
    from messaging.broker import open_channel

    async with open_channel(broker_url, name=CLIENT_NAME) as channel:
        await topology.delete(channel, topology.Topology(namespace))
