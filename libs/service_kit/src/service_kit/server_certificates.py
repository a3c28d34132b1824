"""When the certificates end that servers show: one that was renewed in its file may not be shown yet.

Each server that this process speaks to by TLS is asked now and then on a connection of its own, which ends
with the handshake: nothing is sent over it, and it makes no difference to any driver. So the certificate
needs not be a good one either; whether it is, the connections that work decide.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import structlog
from cryptography import x509

from service_kit.measuring import Measuring
from service_kit.telemetry import gauge

# Seldom, for servers may log a connection that says nothing; often enough for what ends on a certain day.
_EVERY_S = 3600.0
_TIMEOUT_S = 5.0
_PORTS = {"postgresql": 5432, "amqps": 5671, "rediss": 6379, "https": 443}
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
# PostgreSQL's frontend protocol, SSLRequest: its length, and a number that is no version. `S` is yes.
_SSL_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)

_EXPIRY = gauge(
    "server_certificate_expiry_timestamp_seconds",
    "When the certificate ends that this server showed when last asked, every hour, since the epoch",
    ("server",),
)

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Where one answers by TLS; `is_postgres`: asked in its own protocol first."""

    name: str
    host: str
    port: int
    is_postgres: bool = False


def servers_by_tls(addresses: Mapping[str, str]) -> Iterator[Server]:
    """Of these addresses, by what they are for, those that are spoken to by TLS."""
    for name, address in addresses.items():
        parts = urlsplit(address)
        scheme = parts.scheme.partition("+")[0]
        is_postgres = scheme in ("postgresql", "postgres")
        encrypted = (
            dict(parse_qsl(parts.query)).get("sslmode") in _ENCRYPTED if is_postgres else scheme in _PORTS
        )
        if encrypted and parts.hostname is not None:
            port = parts.port or _PORTS["postgresql" if is_postgres else scheme]
            yield Server(name, parts.hostname, port, is_postgres)


class ServerCertificates(Measuring):
    """Tells it of each server; one that cannot be asked keeps what was told of it last."""

    def __init__(self, servers: Sequence[Server], *, interval_s: float = _EVERY_S) -> None:
        super().__init__("server certificates", interval_s=interval_s)
        self._servers = servers

    async def measure(self) -> None:
        for server in self._servers:
            try:
                ends = await shown_until(server)
            except (OSError, EOFError, ValueError) as error:
                _log.debug("certificate not seen", server=server.name, error=type(error).__name__)
            else:
                _EXPIRY.labels(server.name).set(ends)


async def shown_until(server: Server) -> float:
    """When the certificate that the server shows ends, in seconds since the epoch.

    Raises OSError (`ssl.SSLError` and TimeoutError are such) or EOFError where there is none to be had, and
    ValueError for one that cannot be read.
    """
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            if server.is_postgres:
                writer.write(_SSL_REQUEST)
                if await reader.readexactly(1) != b"S":
                    raise ConnectionRefusedError("the server does not speak TLS")
            await writer.start_tls(_any_certificate(), server_hostname=server.host)
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
