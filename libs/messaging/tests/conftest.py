"""One database and one namespace for the tests of a module; empty before each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from contracts.catalogue import SERVICES
from messaging import broker, ddl
from messaging.signing import KeyRing
from messaging.topology import Topology
from service_kit.database import Database
from testkit.bus import Bench
from testkit.databases import ServiceDatabase


@pytest.fixture(scope="module")
async def bench(
    empty_database: ServiceDatabase,
    broker_url: str,
    broker_namespace: str,
    keyring: KeyRing,
    keyring_path: Path,
) -> AsyncIterator[Bench]:
    """The tables of messaging in a schema of their own, and the topology."""
    owner = await asyncpg.connect(empty_database.owner_url)
    try:
        await owner.execute("SET search_path = transaction")
        for statement in (*ddl.v1(app_role="transaction_app"), *ddl.v2(app_role="transaction_app")):
            await owner.execute(statement)
        await owner.execute("CREATE TABLE effects (event_id uuid, subject text)")
        await owner.execute("GRANT SELECT, INSERT, DELETE ON effects TO transaction_app")
    finally:
        await owner.close()
    database = Database(empty_database.app_url)
    yield Bench(
        database,
        empty_database.app_url,
        empty_database.admin_url,
        broker_url,
        Topology(broker_namespace),
        keyring,
        keyring_path,
    )
    await database.close()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    """Each test begins with empty tables and queues."""
    if "bench" not in request.fixturenames:
        return
    bench: Bench = request.getfixturevalue("bench")
    admin = await asyncpg.connect(bench.admin_url)
    try:
        await admin.execute("SET session_replication_role = replica; SET search_path = transaction")
        await admin.execute(
            "DELETE FROM effects; DELETE FROM outbox_unsent; DELETE FROM outbox; DELETE FROM inbox"
        )
        await admin.execute("DELETE FROM parked_actions; DELETE FROM parked; DELETE FROM quarantine")
    finally:
        await admin.close()
    await purge(bench)


async def purge(bench: Bench) -> None:
    """Empty every queue."""
    async with broker.open_channel(bench.broker_url, name="test purge") as channel:
        for service in SERVICES:
            for name in (bench.topology.queue(service), bench.topology.dead_queue(service)):
                queue = await channel.get_queue(name, ensure=False)
                await queue.purge()
