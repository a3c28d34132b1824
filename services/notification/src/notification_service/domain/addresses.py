"""Which IP addresses a webhook may be sent to.

`ipaddress.is_global` alone lets through multicast, 6to4, NAT64, site-local and mapped forms (and differs
between Python versions), so the list is our own, after IANA's special-purpose registries. For IPv6 it is
the other way round: only the global unicast space 2000::/3 is open, less its special parts.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_CLOSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network"; Linux takes 0.0.0.0 for itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent behind a public-looking address
        "169.254.0.0/16",  # link-local, and the clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_OPEN_V6: Final = IPv6Network("2000::/3")
_CLOSED_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# What a developer's own machine and network use; nothing else opens with the development switch.
_PRIVATE: Final = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
# ISATAP interface identifiers carry an IPv4 address in their low 32 bits.
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


def is_allowed(address: Address, *, allow_private: bool) -> bool:
    """Whether we may connect there: public unicast only, and private ranges when configured."""
    if is_public(address):
        return True
    return allow_private and any(
        address in network for network in _PRIVATE if network.version == address.version
    )


def is_public(address: Address) -> bool:
    """Whether the address is ordinary public unicast, with no other address carried inside it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address.scope_id is not None or address not in _OPEN_V6:
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return not any(address in network for network in _CLOSED_V6)
