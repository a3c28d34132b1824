"""The fixtures that every test of the workspace may ask for; found by the package's entry point."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog
from florin.backing.redis import Redis
from florin.credentials import keyring_file, load_or_make
from florin.ports import Ports, reserved_base
from florin.stack import Stack
from messaging.signing import KeyRing

from testkit import namespaces
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase
from testkit.stacks import RunningServices, own_stack, running_services


def pytest_configure() -> None:
    """Logs as plain lines: structlog's default draws every traceback in colour, for seconds each."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )


@pytest.fixture(scope="session")
def backing() -> Iterator[Backing]:
    """Postgres, RabbitMQ and Redis; each starts when its address is first asked for."""
    started = Backing()
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="session")
def databases(backing: Backing) -> Iterator[Databases]:
    """Makes databases; most tests want `database_for`."""
    made = Databases(backing)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def database_for(databases: Databases) -> Iterator[Callable[[str], ServiceDatabase]]:
    """`database_for("account")`: a database of this test module's own with that service's schema migrated."""
    made: dict[str, ServiceDatabase] = {}

    def database(service: str) -> ServiceDatabase:
        if service not in made:
            made[service] = databases.described(databases.fresh([service]), service)
        return made[service]

    yield database
    for one in made.values():
        databases.drop(one.name)


@pytest.fixture(scope="module")
def empty_database(databases: Databases) -> Iterator[ServiceDatabase]:
    """A database of this test module's own with all roles and schemas and no table, seen by `transaction`."""
    described = databases.described(databases.fresh([]), "transaction")
    yield described
    databases.drop(described.name)


@pytest.fixture(scope="session")
def broker_url(backing: Backing) -> str:
    """The broker's address."""
    return backing.broker_url


@pytest.fixture(scope="module")
def broker_namespace(broker_url: str) -> Iterator[str]:
    """Exchanges and queues of this test module's own, declared; removed after it."""
    namespace = f"test-{secrets.token_hex(4)}"
    namespaces.declare(broker_url, namespace)
    yield namespace
    namespaces.delete(broker_url, namespace)


@pytest.fixture(scope="session")
def redis_url(backing: Backing) -> str:
    """The address of this session's Redis or Valkey, shared by its tests: use keys of your own."""
    return backing.redis_url


@pytest.fixture
def own_redis(backing: Backing) -> Iterator[Redis]:
    """A Redis of this test's own, to be killed and started again."""
    with contextlib.ExitStack() as closing:
        ports = Ports(closing.enter_context(reserved_base()))
        folder = backing.folder / f"redis-{secrets.token_hex(4)}"
        redis = Redis(folder=folder, run_dir=folder, port=ports.redis, password=backing.credentials.redis)
        closing.callback(redis.kill)
        redis.start()
        yield redis


@pytest.fixture(scope="session")
def keyring_path(backing: Backing) -> Path:
    """A key ring file with an active key for each service."""
    load_or_make(backing.folder)
    return keyring_file(backing.folder)


@pytest.fixture(scope="session")
def keyring(keyring_path: Path) -> KeyRing:
    """The same key ring, loaded."""
    return KeyRing.load(keyring_path)


@pytest.fixture(scope="session")
async def running(backing: Backing, databases: Databases) -> AsyncIterator[RunningServices]:
    """The services of this session, shared by its tests: use names of your own, and leave nothing changed
    that others meet."""
    with contextlib.ExitStack() as closing:
        started = closing.enter_context(running_services(backing, databases))
        yield started
        await started.close_clients()


@pytest.fixture(scope="module")
async def own_running(backing: Backing, databases: Databases) -> AsyncIterator[RunningServices]:
    """The services of this test module's own, on a fresh database and namespace: to be killed, filled,
    tampered with."""
    with contextlib.ExitStack() as closing:
        started = closing.enter_context(running_services(backing, databases))
        yield started
        await started.close_clients()


@pytest.fixture(scope="module")
def stack(backing: Backing) -> Iterator[Stack]:
    """A whole stack of this test module's own, Postgres and RabbitMQ among it: for tests that kill things."""
    with own_stack(backing) as started:
        yield started
