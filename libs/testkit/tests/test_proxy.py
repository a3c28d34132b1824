"""The fault proxy: passes everything on, knows the moments of both protocols, and makes its trouble there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from messaging.frame import Frame
from messaging.publisher import Publisher, Receipt
from messaging.topology import Topology
from testkit.databases import ServiceDatabase, connect
from testkit.proxy import Proxy, Verdict, cut_connection
from testkit.waiting import eventually
from testkit.wire import AmqpWire, PostgresWire, Seen

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass
class Behind:
    """A server, and the proxy before it."""

    proxy: Proxy
    url: str
    direct_url: str
    seen: list[Seen] = field(default_factory=list)

    def watch(self) -> None:
        """Keep all that passes in `seen`."""

        def note(seen: Seen) -> bool:
            self.seen.append(seen)
            return False

        self.proxy.arm(note)


async def _before(wire: type[PostgresWire] | type[AmqpWire], url: str) -> Behind:
    parts = urlsplit(url)
    assert parts.port is not None
    proxy = Proxy(wire, parts.port)
    await proxy.open()
    login = parts.netloc.rpartition("@")[0]
    return Behind(proxy, urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}")), url)


@pytest.fixture
async def postgres(empty_database: ServiceDatabase) -> AsyncIterator[Behind]:
    behind = await _before(PostgresWire, empty_database.owner_url)
    owner = await connect(behind.direct_url)
    await owner.execute("CREATE TABLE IF NOT EXISTS things (id int); TRUNCATE things")
    await owner.close()
    yield behind
    await behind.proxy.close()


@pytest.fixture
async def rabbitmq(broker_url: str) -> AsyncIterator[Behind]:
    behind = await _before(AmqpWire, broker_url)
    yield behind
    await behind.proxy.close()


async def _insert(url: str) -> None:
    """One row, the way the services write: prepared statements in a transaction."""
    connection = await connect(url)
    try:
        async with connection.transaction():
            await connection.fetch("INSERT INTO things SELECT generate_series(1, $1::int) RETURNING id", 3)
            await connection.fetch("INSERT INTO things SELECT $1::int", 4)
    finally:
        connection.terminate()


async def _rows(url: str) -> int:
    connection = await connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM things"))
    finally:
        await connection.close()


async def test_a_commit_is_known_by_what_its_transaction_wrote(postgres: Behind) -> None:
    postgres.watch()
    await _insert(postgres.url)
    commits = [seen for seen in postgres.seen if seen.commits and seen.writes("things")]
    assert [(seen.what, seen.text.strip(";"), seen.ok) for seen in commits] == [
        ("statement", "COMMIT", True),
        ("answer", "COMMIT", True),
    ]
    assert len(commits[0].transaction) == 3
    assert await _rows(postgres.direct_url) == 4


async def test_a_statement_outside_a_transaction_commits_by_itself(postgres: Behind) -> None:
    postgres.watch()
    connection = await connect(postgres.url)
    await connection.execute("INSERT INTO things VALUES (1)")
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("INSERT INTO things VALUES ('no number')")
    await connection.close()
    inserts = [(seen.what, seen.commits, seen.ok) for seen in postgres.seen if seen.writes("things")]
    assert inserts == [
        ("statement", True, True),
        ("answer", True, True),
        ("statement", True, True),
        ("answer", True, False),
    ]


async def test_cut_before_commit_leaves_nothing(postgres: Behind) -> None:
    async with postgres.proxy.arm(
        lambda seen: seen.what == "statement" and seen.commits and seen.writes("things"), cut_connection
    ) as trigger:
        with pytest.raises(LOST):
            await _insert(postgres.url)
        await trigger.wait(timeout_s=1)
    assert await _rows(postgres.direct_url) == 0


async def test_cut_after_commit_keeps_what_the_client_never_heard_of(postgres: Behind) -> None:
    def committed(seen: Seen) -> bool:
        return seen.what == "answer" and seen.commits and seen.ok and seen.writes("things")

    async with postgres.proxy.arm(committed, cut_connection) as trigger:
        with pytest.raises(LOST):
            await _insert(postgres.url)
        await trigger.wait(timeout_s=1)
    assert await _rows(postgres.direct_url) == 4


async def test_a_trigger_acts_once(postgres: Behind) -> None:
    struck: list[Seen] = []

    def strike(seen: Seen) -> Verdict:
        struck.append(seen)
        return Verdict.PASS

    async with postgres.proxy.arm(lambda seen: seen.commits and seen.writes("things"), strike):
        await _insert(postgres.url)
        await _insert(postgres.url)
    assert len(struck) == 1


async def test_megabytes_pass_unchanged(postgres: Behind) -> None:
    connection = await connect(postgres.url)
    text = "x" * 3_000_000
    assert await connection.fetchval("SELECT $1::text", text) == text
    await connection.close()


async def test_delay_keeps_the_order_and_takes_its_time(postgres: Behind) -> None:
    connection = await connect(postgres.url)
    postgres.proxy.delay_s = 0.05
    began = asyncio.get_running_loop().time()
    assert [await connection.fetchval("SELECT $1::int", n) for n in range(3)] == [0, 1, 2]
    assert asyncio.get_running_loop().time() - began > 3 * 2 * 0.05
    assert postgres.proxy.delayed > 0
    postgres.proxy.delay_s = 0.0
    assert await connection.fetchval("SELECT 3") == 3
    await connection.close()


async def test_half_open_takes_connections_and_says_nothing(postgres: Behind) -> None:
    standing = await connect(postgres.url)
    postgres.proxy.half_open = True
    with pytest.raises(TimeoutError):
        await standing.fetchval("SELECT 1", timeout=0.1)
    with pytest.raises(TimeoutError):
        await asyncpg.connect(postgres.url, timeout=0.1)
    assert postgres.proxy.swallowed > 0
    postgres.proxy.half_open = False
    assert await _rows(postgres.url) == 0
    standing.terminate()


async def test_a_server_that_is_away_is_away_behind_the_proxy(postgres: Behind) -> None:
    nowhere = Proxy(PostgresWire, 1)
    await nowhere.open()
    with pytest.raises(LOST):
        await asyncpg.connect(f"postgresql://nobody@127.0.0.1:{nowhere.port}/none", timeout=5)
    await nowhere.close()


async def test_cut_resets_whoever_is_connected(postgres: Behind) -> None:
    connection = await connect(postgres.url)
    assert postgres.proxy.cut() == 1
    with pytest.raises(LOST):
        await connection.fetchval("SELECT 1")
    assert postgres.proxy.connections == 0


async def test_publish_confirm_and_return_are_known(rabbitmq: Behind, broker_namespace: str) -> None:
    rabbitmq.watch()
    publisher = Publisher(rabbitmq.url, Topology(broker_namespace), name="test")
    await publisher.open()
    assert await publisher.publish(_frame("florin.payment.settled.v1")) is Receipt.CONFIRMED
    assert await publisher.publish(_frame("nobody.hears.this")) is Receipt.REFUSED
    await publisher.close()
    assert [(seen.what, seen.text) for seen in rabbitmq.seen] == [
        ("publish", "florin.payment.settled.v1"),
        ("confirm", ""),
        ("publish", "nobody.hears.this"),
        ("return", ""),
        ("confirm", ""),
    ]


async def test_cut_before_confirm_leaves_the_publisher_in_doubt(
    rabbitmq: Behind, broker_namespace: str
) -> None:
    publisher = Publisher(rabbitmq.url, Topology(broker_namespace), name="test")
    await publisher.open()
    async with rabbitmq.proxy.arm(lambda seen: seen.what == "confirm", cut_connection) as trigger:
        assert await publisher.publish(_frame("florin.payment.settled.v1")) is Receipt.UNKNOWN
        await trigger.wait(timeout_s=1)
    await publisher.close()
    await eventually(lambda: rabbitmq.proxy.connections == 0)


def _frame(routing_key: str) -> Frame:
    return Frame(
        id="1",
        routing_key=routing_key,
        content_type="application/cloudevents-batch+json",
        key_id="none",
        issued_at="2026-01-01T00:00:00Z",
        signature="none",
        body=b"[" + b" " * 400_000 + b"]",
    )
