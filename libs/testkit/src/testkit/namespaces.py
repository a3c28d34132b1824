"""Exchanges and queues under a name of a test's own, so that tests can share one broker."""

from florin import topology
from florin.blocking import run_blocking


def declare(broker_url: str, namespace: str) -> None:
    """Declares everything under the namespace."""
    run_blocking(lambda: topology.apply(broker_url, namespace))


def delete(broker_url: str, namespace: str) -> None:
    """Removes everything under the namespace, with what is still queued there."""
    run_blocking(lambda: topology.remove(broker_url, namespace))
