"""Exchanges and queues under a name of a test's own, and the services' users of them, so that tests can share
one broker."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import httpx2
from contracts.catalogue import SERVICES
from florin import broker_users, topology
from florin.blocking import run_blocking
from florin.credentials import Credentials
from messaging.rights import rights_of
from messaging.topology import Topology


def declare(broker_url: str, namespace: str) -> None:
    """Declares everything under the namespace."""
    run_blocking(lambda: topology.apply(broker_url, namespace))


def delete(broker_url: str, namespace: str) -> None:
    """Removes everything under the namespace, with what is still queued there."""
    run_blocking(lambda: topology.remove(broker_url, namespace))


@contextlib.contextmanager
def declared(
    broker_url: str, namespace: str, *, management_url: str | None, credentials: Credentials
) -> Iterator[None]:
    """Everything under the namespace until the end of the block, with a user for each service, as a real
    stack has them; without the management's address only the one of the broker's address is there."""
    declare(broker_url, namespace)
    try:
        if management_url is not None:
            passwords = {service: credentials.broker_password_of(service) for service in SERVICES}
            broker_users.apply(management_url, broker_url, namespace, passwords=passwords)
        yield
    finally:
        delete(broker_url, namespace)
        if management_url is not None:
            _delete_users(management_url, namespace)


def _delete_users(management_url: str, namespace: str) -> None:
    with httpx2.Client(base_url=management_url, timeout=broker_users.TIMEOUT_S, trust_env=False) as api:
        for service in SERVICES:
            user = rights_of(service, Topology(namespace)).user
            api.delete(f"/api/users/{quote(user, safe='')}").raise_for_status()
