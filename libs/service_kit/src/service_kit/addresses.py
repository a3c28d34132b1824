"""Addresses of servers and secrets: whose word makes a server believed, and what is unsafe about them."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

# By scheme, the words of an address that say whose certificates are good.
_AUTHORITY: Mapping[str, Mapping[str, str]] = {
    "postgresql": {"sslmode": "verify-full", "sslrootcert": "{}"},
    "amqps": {"cafile": "{}"},
    "rediss": {"ssl_ca_certs": "{}"},
}
_VERIFIED_MODES = frozenset({"verify-full", "verify-ca"})
# What turns the verification of a certificate off again.
_UNVERIFIED = frozenset({("no_verify_ssl", "1"), ("ssl_cert_reqs", "none"), ("ssl_check_hostname", "false")})
_SUPERUSERS = {"postgresql": "postgres", "amqp": "guest", "amqps": "guest"}
_GUESSED = frozenset({"guest", "postgres", "rabbitmq", "redis", "admin", "password", "secret", "changeme"})
_MIN_SECRET_LENGTH, _MIN_SECRET_SIGNS = 32, 8


def with_authority(url: str, authority: Path) -> str:
    """The address with TLS, verified by the certificates of this file. Raises `ValueError` where a server is
    addressed without TLS."""
    parts = urlsplit(url)
    words = _AUTHORITY.get(_scheme(parts))
    if words is None:
        raise ValueError("must begin with amqps or rediss, for a certificate authority is named for it")
    query = dict(parse_qsl(parts.query)) | {name: text.format(authority) for name, text in words.items()}
    return urlunsplit(parts._replace(query=urlencode(query)))


def unsafe_address(url: str, *, plaintext: bool) -> Iterator[str]:
    """What is unsafe about an address, and never what it is. `plaintext`: the way to it may be open."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    local = _is_local(parts)
    if user == _SUPERUSERS.get(_scheme(parts)):
        yield "must not name the server's own superuser: give the service a user that may do only its work"
    if password.lower() in _GUESSED or (password and password == user):
        yield "must not hold a password that anyone would try"
    if not plaintext and not local and not _is_verified(parts):
        yield "must ask for TLS with a verified certificate, for its host is not this machine"


def unsafe_secret(text: str) -> Iterator[str]:
    """What is unsafe about a secret that somebody chose."""
    if len(text) < _MIN_SECRET_LENGTH:
        yield f"must have at least {_MIN_SECRET_LENGTH} characters"
    if len(set(text)) < _MIN_SECRET_SIGNS or any(word in text.lower() for word in _GUESSED):
        yield "must be random, and not a word or an example's value"


def _scheme(parts: SplitResult) -> str:
    scheme = parts.scheme.partition("+")[0]
    return "postgresql" if scheme == "postgres" else scheme


def _is_local(parts: SplitResult) -> bool:
    host = parts.hostname or "localhost"
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_verified(parts: SplitResult) -> bool:
    if parts.scheme == "https":
        # By the authorities that this machine trusts; no word in the address takes that back.
        return True
    query = dict(parse_qsl(parts.query))
    if _scheme(parts) == "postgresql":
        return query.get("sslmode") in _VERIFIED_MODES
    pairs = {(name.lower(), value.lower()) for name, value in query.items()}
    return _scheme(parts) in _AUTHORITY and _UNVERIFIED.isdisjoint(pairs)
