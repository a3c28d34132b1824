"""The real services for journeys and faults: on shared backing services, or on ones of their own."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx2
from florin.clients import api_client
from florin.credentials import Credentials, load_or_make, write_private
from florin.environment import Detour, Surroundings
from florin.ports import Ports, reserved_base
from florin.running import Services
from florin.services import PROCESSES, SERVICES
from florin.stack import Stack

from testkit import namespaces
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase
from testkit.proxy import Proxy
from testkit.wire import AmqpWire, PostgresWire


@dataclass
class RunningServices:
    """Services on a fresh database and namespace. `services` starts, stops and kills each by its name."""

    surroundings: Surroundings
    services: Services
    database_name: str
    databases: Databases
    _clients: dict[tuple[str, str], httpx2.AsyncClient] = field(default_factory=dict)

    def client(self, service: str, *, client: str = "demo") -> httpx2.AsyncClient:
        """An authenticated HTTP client of one service; closed with the services."""
        if (service, client) not in self._clients:
            self._clients[service, client] = api_client(self.surroundings, service, client=client)
        return self._clients[service, client]

    def database(self, service: str) -> ServiceDatabase:
        """The addresses of one service's roles in the database."""
        return self.databases.described(self.database_name, service)

    async def close_clients(self) -> None:
        """Closes every client that was handed out."""
        for client in self._clients.values():
            await client.aclose()


@contextlib.contextmanager
def running_services(
    backing: Backing,
    databases: Databases,
    *,
    names: Sequence[str] = PROCESSES,
    settings: Mapping[str, str] | None = None,
) -> Iterator[RunningServices]:
    """Runs the services named until the end of the block; `settings` are more of their variables.

    The database has the schemas of all of them, so that one template serves every choice of names. On the
    broker each is a user of its own with the rights that it has in a real stack, where those can be made.
    """
    on_the_bus = not set(names).isdisjoint(SERVICES)
    broker_url = backing.broker_url if on_the_bus else backing.broker_url_if_started
    database = databases.fresh(PROCESSES)
    namespace = f"test-{secrets.token_hex(4)}"
    management_url = backing.known_management_url if on_the_bus else None
    with contextlib.ExitStack() as closing:
        closing.callback(databases.drop, database)
        if on_the_bus:
            closing.enter_context(
                namespaces.declared(
                    broker_url, namespace, management_url=management_url, credentials=backing.credentials
                )
            )
        with reserved_base() as base:
            run_dir = fresh_run_dir(backing, backing.credentials)
            surroundings = Surroundings(
                run_dir=run_dir,
                ports=Ports(base),
                credentials=backing.credentials,
                database_admin_url=backing.database_admin_url,
                broker_url=broker_url,
                broker_management_url=management_url,
                database=database,
                namespace=namespace,
                extra=dict(settings or {}),
            )
            services = Services(surroundings, names=names)
            try:
                services.start_all()
                yield RunningServices(surroundings, services, database, databases)
            finally:
                services.stop_all()


@contextlib.contextmanager
def own_stack(backing: Backing, *, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A whole stack with its own Postgres and RabbitMQ, all of which may be killed; wiped afterwards."""
    with reserved_base() as base:
        run_dir = fresh_run_dir(backing, Credentials.make())
        stack = Stack(run_dir=run_dir, ports=Ports(base), given={}, settings=dict(settings or {}))
        try:
            stack.up()
            yield stack
        finally:
            stack.down(wipe=True)


@dataclass(frozen=True)
class Proxies:
    """The fault proxies of one service: what it believes to be its Postgres and its RabbitMQ."""

    postgres: Proxy
    rabbitmq: Proxy


@contextlib.asynccontextmanager
async def proxied_stack(
    backing: Backing, *, settings: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Stack, Mapping[str, Proxies]]]:
    """A whole stack of its own, with a fault proxy between each service and each of its two servers."""
    with reserved_base() as base:
        ports = Ports(base)
        proxies = {
            service: Proxies(Proxy(PostgresWire, ports.postgres), Proxy(AmqpWire, ports.amqp))
            for service in SERVICES
        }
        async with contextlib.AsyncExitStack() as closing:
            for one in proxies.values():
                for proxy in (one.postgres, one.rabbitmq):
                    closing.push_async_callback(proxy.close)
                    await proxy.open()
            stack = Stack(
                run_dir=fresh_run_dir(backing, Credentials.make()),
                ports=ports,
                given={},
                settings=dict(settings or {}),
                detours={name: Detour(one.postgres.port, one.rabbitmq.port) for name, one in proxies.items()},
            )
            # In a thread: the services come up through the proxies, which need this one's event loop.
            closing.push_async_callback(asyncio.to_thread, stack.down, wipe=True)
            await asyncio.to_thread(stack.up)
            yield stack, proxies


@contextlib.asynccontextmanager
async def clients_of(stack: Stack, *services: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Authenticated HTTP clients of a stack's services, closed at the end of the block."""
    async with contextlib.AsyncExitStack() as closing:
        yield [await closing.enter_async_context(api_client(stack.surroundings, one)) for one in services]


def fresh_run_dir(backing: Backing, credentials: Credentials) -> Path:
    """A new run folder within the session's, with key ring and API keys made."""
    run_dir = backing.folder / "stacks" / secrets.token_hex(4)
    run_dir.mkdir(parents=True)
    write_private(run_dir / "credentials.json", asdict(credentials))
    load_or_make(run_dir)
    return run_dir
