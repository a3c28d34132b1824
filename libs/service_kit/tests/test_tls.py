"""TLS to real servers under a throwaway authority: the right one is believed, and nobody else."""

import asyncio
import contextlib
import secrets
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis as redis_library
from florin.backing import Postgres, RabbitMQ
from florin.backing.redis import Redis
from florin.credentials import Credentials
from florin.ports import Ports, reserved_base
from messaging import broker
from messaging.failures import BrokerUnavailable
from prometheus_client import REGISTRY
from redis.asyncio import Redis as RedisClient
from service_kit.addresses import with_authority
from service_kit.database import Database, DatabaseUnavailable
from service_kit.server_certificates import ServerCertificates, servers_by_tls
from testkit.backing import PASSABLE, Backing
from testkit.tls import Authority

# The certificates' only name; 127.0.0.1 leads to the same servers under another.
NAME = "localhost"
# Length and code of the message by which a client of Postgres asks for TLS.
SSL_REQUEST = struct.pack("!II", 8, 80_877_103)
KINDS = ("postgres", "rabbitmq", "redis")


@dataclass(frozen=True)
class Server:
    """One server that speaks TLS: its address without the authority, and how a client of ours reaches it."""

    url: str
    plain_url: str
    reach: Callable[[str], Awaitable[None]]
    refusal: type[Exception]


async def reach_postgres(url: str) -> None:
    database = Database(url)
    try:
        await database.ping()
    finally:
        await database.close()


async def reach_rabbitmq(url: str) -> None:
    await broker.close_quietly(await broker.connect(url, name="test"))


async def reach_redis(url: str) -> None:
    client = RedisClient.from_url(url)
    try:
        assert await client.ping()
    finally:
        await client.aclose()


@pytest.fixture(scope="module")
def folder(backing: Backing) -> Path:
    made = backing.folder / f"tls-{secrets.token_hex(4)}"
    made.mkdir()
    made.chmod(PASSABLE)
    return made


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "good")


@pytest.fixture(scope="module")
async def servers(folder: Path, authority: Authority) -> AsyncIterator[dict[str, Server]]:
    """Postgres, RabbitMQ and Redis of this module's own, each with a certificate for `NAME`."""
    credentials = Credentials.make()
    async with contextlib.AsyncExitStack() as closing:
        ports = Ports(closing.enter_context(reserved_base()))
        yield {
            "postgres": await _postgres(closing, folder, ports, authority),
            "rabbitmq": _rabbitmq(closing, folder, ports, authority, credentials),
            "redis": _redis(closing, folder, ports, authority),
        }


async def _postgres(
    closing: contextlib.AsyncExitStack, folder: Path, ports: Ports, authority: Authority
) -> Server:
    server = Postgres(folder=folder / "postgres", run_dir=folder, port=ports.postgres, password="hunter2")
    closing.callback(server.wipe)
    closing.callback(server.kill)
    server.start()
    issued = authority.issue(NAME)
    speaks_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    speaks_tls.load_cert_chain(issued.certificate, issued.key)

    async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What a server built with TLS does before anything else: the embedded one is built without."""
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(speaks_tls)
            upstream, behind = await asyncio.open_connection("127.0.0.1", ports.postgres)
            with contextlib.closing(behind):
                await asyncio.gather(_pour(reader, behind), _pour(upstream, writer))

    listening = await asyncio.start_server(front, "127.0.0.1", 0)
    closing.callback(listening.close)
    port = listening.sockets[0].getsockname()[1]
    url = f"postgresql://postgres:hunter2@{NAME}:{port}/postgres"
    return Server(url, f"{url}?sslmode=disable", reach_postgres, DatabaseUnavailable)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while part := await source.read(65_536):
        target.write(part)
        await target.drain()
    target.close()


def _rabbitmq(
    closing: contextlib.AsyncExitStack,
    folder: Path,
    ports: Ports,
    authority: Authority,
    credentials: Credentials,
) -> Server:
    place = folder / "rabbitmq"
    issued = authority.issue(NAME)
    port = ports.base + 120
    (place / "conf.d").mkdir(parents=True)
    (place / "conf.d" / "tls.conf").write_text(
        f"listeners.ssl.local = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {authority.file}\n"
        f"ssl_options.certfile = {issued.certificate}\n"
        f"ssl_options.keyfile = {issued.key}\n"
        "ssl_options.verify = verify_none\n"
    )
    server = RabbitMQ(
        folder=place, run_dir=folder, ports=ports, password=credentials.broker, node=credentials.node
    )
    closing.callback(server.epmd.kill)
    closing.callback(server.kill)
    server.start()
    login = server.url.partition("://")[2].rpartition("@")[0]
    where = f"{login}@{NAME}:{port}/"
    return Server(f"amqps://{where}", f"amqp://{where}", reach_rabbitmq, BrokerUnavailable)


def _redis(closing: contextlib.AsyncExitStack, folder: Path, ports: Ports, authority: Authority) -> Server:
    server = Redis(folder=folder / "redis", run_dir=folder, port=ports.redis, password="hunter2")
    closing.callback(server.kill)
    server.start()
    issued = authority.issue(NAME)
    port = ports.base + 121
    with redis_library.Redis.from_url(server.url) as client:
        client.config_set("tls-cert-file", str(issued.certificate))
        client.config_set("tls-key-file", str(issued.key))
        client.config_set("tls-ca-cert-file", str(authority.file))
        client.config_set("tls-auth-clients", "no")
        client.config_set("tls-port", str(port))
    where = f":hunter2@{NAME}:{port}/0"
    return Server(f"rediss://{where}", f"redis://{where}", reach_redis, redis_library.ConnectionError)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_right_authority_connects(
    servers: dict[str, Server], authority: Authority, kind: str
) -> None:
    await servers[kind].reach(with_authority(servers[kind].url, authority.file))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_of_another_authority_is_refused(
    servers: dict[str, Server], folder: Path, kind: str
) -> None:
    stranger = Authority(folder, f"stranger-{kind}")
    with pytest.raises(servers[kind].refusal):
        await servers[kind].reach(with_authority(servers[kind].url, stranger.file))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_for_another_host_is_refused(
    servers: dict[str, Server], authority: Authority, kind: str
) -> None:
    elsewhere = servers[kind].url.replace(f"@{NAME}", "@127.0.0.1")
    with pytest.raises(servers[kind].refusal):
        await servers[kind].reach(with_authority(elsewhere, authority.file))


@pytest.mark.parametrize("kind", KINDS)
async def test_plaintext_is_refused(servers: dict[str, Server], kind: str) -> None:
    with pytest.raises(servers[kind].refusal):
        await servers[kind].reach(servers[kind].plain_url)


async def test_authorities_are_read_anew_for_each_connection_to_postgres(
    servers: dict[str, Server], authority: Authority, folder: Path
) -> None:
    """One that is renewed while the process runs is believed, and one that is taken back no longer."""
    file = folder / "authorities.pem"
    file.write_bytes(authority.file.read_bytes())
    database = Database(with_authority(servers["postgres"].url, file))
    try:
        await database.ping()
        file.write_bytes(Authority(folder, "successor").file.read_bytes())
        await database.close()
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        file.write_bytes(authority.file.read_bytes())
        await database.ping()
    finally:
        await database.close()


def told_end(server: str) -> float | None:
    return REGISTRY.get_sample_value("florin_server_certificate_expiry_timestamp_seconds", {"server": server})


@pytest.mark.parametrize("kind", KINDS)
async def test_the_end_of_the_certificate_that_a_server_shows_is_told(
    servers: dict[str, Server], authority: Authority, kind: str
) -> None:
    """By each server's own way to TLS, and whoever has signed it."""
    url = with_authority(servers[kind].url, authority.file)
    (server,) = servers_by_tls({kind: url})
    await ServerCertificates([server]).measure()
    assert told_end(kind) == authority.ends.timestamp()


async def test_a_server_that_cannot_be_asked_keeps_what_was_told_of_it(
    servers: dict[str, Server], authority: Authority
) -> None:
    (server,) = servers_by_tls({"kept": with_authority(servers["redis"].url, authority.file)})
    await ServerCertificates([server]).measure()
    nobodys_port = replace(server, port=9)
    await ServerCertificates([nobodys_port, replace(nobodys_port, name="never seen")]).measure()
    assert told_end("kept") == authority.ends.timestamp()
    assert told_end("never seen") is None


def test_only_servers_that_are_spoken_to_by_tls_are_asked() -> None:
    asked = servers_by_tls(
        {
            "database": "postgresql+asyncpg://a:b@db/florin?sslmode=verify-full",
            "open database": "postgresql://a:b@db/florin?sslmode=prefer",
            "broker": "amqps://a:b@mq/",
            "open broker": "amqp://a:b@mq/",
            "redis": "rediss://:b@cache:6380/0",
            "issuer": "https://issuer/keys",
            "open issuer": "http://issuer/keys",
        }
    )
    assert [(one.name, one.host, one.port, one.is_postgres) for one in asked] == [
        ("database", "db", 5432, True),
        ("broker", "mq", 5671, False),
        ("redis", "cache", 6380, False),
        ("issuer", "issuer", 443, False),
    ]
