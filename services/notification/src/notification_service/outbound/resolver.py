"""Names to addresses, and the check that stands between a name and a connection."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final, Protocol

from notification_service.domain.addresses import Address
from notification_service.domain.target import TargetPolicy, not_public, parse_target

# The system's resolver blocks a thread for as long as it likes: a few of our own, so that names which answer
# slowly on purpose cannot use up the loop's.
RESOLVER_THREADS: Final = 16
MAX_ADDRESSES: Final = 16


class Resolver(Protocol):
    """Looks a host name up."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """Every address of the name, or none when it has none or no answer came in time."""
        ...


class SystemResolver:
    """The operating system's resolver, bounded in time."""

    def __init__(self, *, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="webhook-resolver")

    async def resolve(self, host: str) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(self._threads, _look_up, host)
        except (OSError, TimeoutError, UnicodeError):
            return ()

    async def close(self) -> None:
        """Take no more look-ups; those that hang end by the system's own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> Sequence[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


class TargetCheck:
    """Decides whether a URL may be a webhook's target, at registration and again at every connection."""

    def __init__(self, *, policy: TargetPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver

    @property
    def policy(self) -> TargetPolicy:
        return self._policy

    async def check(self, url: str) -> None:
        """Raises TargetRefused unless the URL is sound and its host has allowed addresses only."""
        target = parse_target(url, self._policy)
        await self.addresses_of(target.host)

    async def addresses_of(self, host: str) -> Sequence[Address]:
        """The addresses to connect to, each of them allowed; raises TargetRefused.

        One private address among public ones condemns the name: only a trick or a fault looks like that.
        """
        try:
            literal: Address | None = ip_address(host)
        except ValueError:
            literal = None
        addresses = (literal,) if literal is not None else await self._resolver.resolve(host)
        if not addresses or len(addresses) > MAX_ADDRESSES:
            raise not_public()
        if not all(self._policy.permits_address(address) for address in addresses):
            raise not_public()
        return addresses
