"""From where a request comes: the peer, or what a proxy that is trusted says of it."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

ForwardedHeader = Literal["x-forwarded-for", "forwarded"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# More proxies than anyone has; whoever writes more is making names up.
_MAX_HOPS = 32


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of `10.0.0.0/8, 192.168.1.7`; raises `ValueError`, which quotes none of it."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks separated by commas, such as 10.0.0.0/8,192.168.1.7") from None


class TrustedProxies:
    """The proxies whose word is taken, and the one header that they write.

    One header and not whichever is there: a proxy overwrites or extends its own, and hands on a client's
    other one as it came.
    """

    def __init__(self, networks: Iterable[Network], header: ForwardedHeader = "x-forwarded-for") -> None:
        self._networks = tuple(networks)
        self.header = header.encode()
        self._read = _elements_of_forwarded if header == "forwarded" else _split
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def client_of(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """The right-most address that is no trusted proxy's: all to its left the client may have made up.

        `forwarded` are the header's lines as they came. What cannot be read ends the walk at the last address
        that could.
        """
        nearest = peer
        if not forwarded or not self._trusts(peer):
            return nearest
        hops = self._read(b",".join(forwarded).decode("latin-1"))
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = _address(hop)
            if address is None:
                return nearest
            nearest = str(address)
            if not self._trusts(nearest):
                return nearest
        return nearest

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _elements_of_forwarded(text: str) -> list[str]:
    """What each element of RFC 7239's header says of `for`; empty where it says nothing."""
    return [_for_of(element) for element in text.split(",")]


def _for_of(element: str) -> str:
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip('"')
    return ""


def _address(text: str) -> Address | None:
    """The address in `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 peer of a socket that takes both is told as ::ffff:1.2.3.4.
    return getattr(address, "ipv4_mapped", None) or address
