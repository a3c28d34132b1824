"""What each service may do on the broker: publish what it produces, read its own queue, change nothing."""

import re
from dataclasses import dataclass

from contracts.catalogue import CATALOGUE

from messaging.topology import Topology

NOTHING = "^$"


@dataclass(frozen=True, slots=True)
class Rights:
    """One user's permissions as the broker has them, regular expressions over names of queues and exchanges;
    `routing_keys` over what it may publish to `exchange`."""

    user: str
    configure: str
    write: str
    read: str
    exchange: str
    routing_keys: str


def rights_of(service: str, topology: Topology) -> Rights:
    """The least with which the service's relay and consumer work."""
    own = [re.escape(entry.name) for entry in CATALOGUE if entry.producer == service]
    return Rights(
        user=topology.queue(service),
        configure=NOTHING,
        write=f"^{re.escape(topology.exchange)}$" if own else NOTHING,
        read=f"^{re.escape(topology.queue(service))}$",
        exchange=topology.exchange,
        routing_keys=f"^({'|'.join(own)})$" if own else NOTHING,
    )
