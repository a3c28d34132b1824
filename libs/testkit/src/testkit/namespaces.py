"""Exchanges and queues under a name of a test's own, so that tests can share one broker."""

from florin import topology

from testkit.databases import in_thread


def declare(broker_url: str, namespace: str) -> None:
    """Declares everything under the namespace."""
    in_thread(lambda: topology.apply(broker_url, namespace))


def delete(broker_url: str, namespace: str) -> None:
    """Removes everything under the namespace, with what is still queued there."""
    in_thread(lambda: topology.remove(broker_url, namespace))
