"""The URL of a webhook endpoint: what is accepted as one, before any name is resolved."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit

from .addresses import Address, is_allowed

MAX_URL_LENGTH: Final = 2_048
_VISIBLE_ASCII: Final = re.compile(r"[\x21-\x7e]+")
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Any host that ends in a number is an IPv4 address to some resolver: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
_ENDS_IN_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_NEVER_PUBLIC: Final = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "corp",
    "home",
    "onion",
)
_DEFAULT_PORT: Final = {"https": 443, "http": 80}


class TargetRefused(Exception):
    """The URL cannot be a webhook endpoint."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """Where webhooks may go: https to public addresses on a few ports, wider only in development."""

    allow_private: bool = False
    allow_http: bool = False
    ports: frozenset[int] = frozenset({443, 8443})

    def permits_port(self, port: int, *, scheme: str) -> bool:
        return self.allow_private or port in self.ports or (scheme == "http" and port == 80)

    def permits_address(self, address: Address) -> bool:
        return is_allowed(address, allow_private=self.allow_private)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked URL in the parts that a connection needs; `address` is set when the host is an IP literal."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def authority(self) -> str:
        """The Host header: brackets around IPv6, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, policy: TargetPolicy) -> Target:
    """Check a URL's form and literal address against the policy; raises TargetRefused."""
    if len(url) > MAX_URL_LENGTH:
        raise TargetRefused("webhook_url_invalid", f"the URL is longer than {MAX_URL_LENGTH} characters")
    # Parsers disagree about blanks, controls, backslashes and non-ASCII: we accept none, so they cannot.
    if not _VISIBLE_ASCII.fullmatch(url) or "\\" in url:
        raise TargetRefused(
            "webhook_url_invalid",
            "the URL has characters other than visible ASCII (write other names as punycode)",
        )
    try:
        parts = urlsplit(url)
        port, hostname = parts.port, parts.hostname
    except ValueError:
        raise TargetRefused("webhook_url_invalid", "this is not a URL") from None
    _check_scheme(parts.scheme, policy)
    if "@" in parts.netloc:
        raise TargetRefused("webhook_url_has_credentials", "the URL may not carry a user name or password")
    if "#" in url:
        raise TargetRefused("webhook_url_invalid", "the URL may not have a fragment")
    if not hostname or parts.netloc.endswith(":"):
        raise TargetRefused("webhook_url_invalid", "the URL has no host, or an empty port")
    port = _DEFAULT_PORT[parts.scheme] if port is None else port
    if port == 0 or not policy.permits_port(port, scheme=parts.scheme):
        raise TargetRefused("webhook_port_not_allowed", f"port {port} is not open for webhooks")
    host, address = _check_host(hostname, bracketed="[" in parts.netloc, policy=policy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, address=address)


def _check_scheme(scheme: str, policy: TargetPolicy) -> None:
    if scheme == "https" or (scheme == "http" and policy.allow_http):
        return
    raise TargetRefused("webhook_url_not_https", "a webhook URL begins with https://")


def _check_host(hostname: str, *, bracketed: bool, policy: TargetPolicy) -> tuple[str, Address | None]:
    host = hostname.lower()
    try:
        if bracketed:
            address: Address | None = _ipv6(host)
        elif _ENDS_IN_NUMBER.fullmatch(host):
            address = IPv4Address(host)
        else:
            address = None
    except AddressValueError:
        raise TargetRefused(
            "webhook_url_invalid", "the host is not a valid IP address in its usual form"
        ) from None
    if address is not None:
        if not policy.permits_address(address):
            raise not_public()
        return str(address), address
    if not _HOST_NAME.fullmatch(host):
        raise TargetRefused("webhook_url_invalid", "the host is not a valid name")
    if not policy.allow_private and ("." not in host or _is_never_public(host)):
        raise not_public()
    return host, None


def _ipv6(text: str) -> IPv6Address:
    if "%" in text:
        raise AddressValueError("a zone names an interface of ours")
    return IPv6Address(text)


def _is_never_public(host: str) -> bool:
    return any(host == suffix or host.endswith("." + suffix) for suffix in _NEVER_PUBLIC)


def not_public() -> TargetRefused:
    """One answer for private and for unresolvable hosts: two would let a client map our network's names."""
    return TargetRefused("webhook_host_not_public", "the host does not resolve to public addresses only")
