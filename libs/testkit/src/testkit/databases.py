"""A fresh, migrated database for every test module, copied from a template migrated once a session."""

import hashlib
import secrets
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg
from florin import provision
from florin.blocking import run_blocking
from florin.credentials import load_or_make
from florin.environment import Surroundings
from florin.errors import StackError
from florin.ports import Ports
from florin.services import PROCESSES, module_of, runnable

from testkit.backing import Backing

MIGRATION_TIMEOUT_S = 120


@dataclass(frozen=True)
class ServiceDatabase:
    """One database and the addresses (`postgresql://`) through which each role enters it."""

    service: str
    name: str
    admin_url: str
    owner_url: str
    app_url: str
    auditor_url: str


class Databases:
    """Makes and drops the databases of one test session."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._session = secrets.token_hex(4)
        self._templates: dict[frozenset[str], str] = {}
        self._made = 0

    def fresh(self, services: Iterable[str]) -> str:
        """The name of a new database with all roles and schemas; those of `services` are migrated."""
        template = self._template(frozenset(services))
        self._made += 1
        name = f"florin_test_{self._session}_{self._made}"
        run_blocking(lambda: self._copy(template, name))
        return name

    def drop(self, name: str) -> None:
        """Removes a database and ends whoever is still connected to it."""
        run_blocking(lambda: self._execute([f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"]))

    def close(self) -> None:
        """Removes the templates."""
        for template in self._templates.values():
            self.drop(template)

    def surroundings(
        self, name: str, *, ports: Ports | None = None, namespace: str = "florin"
    ) -> Surroundings:
        """What services on this database are to be told."""
        backing = self._backing
        return Surroundings(
            run_dir=backing.folder,
            ports=ports or Ports(0),
            credentials=load_or_make(backing.folder),
            database_admin_url=backing.database_admin_url,
            broker_url=backing.broker_url_if_started,
            database=name,
            namespace=namespace,
        )

    def described(self, name: str, service: str) -> ServiceDatabase:
        """The addresses of one service's roles in a database."""
        surroundings = self.surroundings(name)
        return ServiceDatabase(
            service=service,
            name=name,
            admin_url=provision.url_for(surroundings.database_admin_url, database=name),
            owner_url=surroundings.role_url(provision.owner_of(service)),
            app_url=surroundings.role_url(provision.app_of(service)),
            auditor_url=surroundings.role_url(provision.AUDITOR),
        )

    def _template(self, services: frozenset[str]) -> str:
        if services not in self._templates:
            short = hashlib.sha256(",".join(sorted(services)).encode()).hexdigest()[:6]
            name = f"florin_template_{self._session}_{short}"
            surroundings = self.surroundings(name)
            passwords = surroundings.credentials.roles
            admin_url = surroundings.database_admin_url
            run_blocking(lambda: provision.provision(admin_url, passwords=passwords, database=name))
            self._templates[services] = name
            migrate(surroundings, [service for service in PROCESSES if service in services])
        return self._templates[services]

    async def _copy(self, template: str, name: str) -> None:
        await self._execute(
            [f"CREATE DATABASE {name} TEMPLATE {template}", *provision.database_statements(name)]
        )

    async def _execute(self, statements: Iterable[str]) -> None:
        connection = await provision.connect(self._backing.database_admin_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def migrate(surroundings: Surroundings, services: Iterable[str]) -> None:
    """Brings each service's schema to its head, all at once, by the services' own command."""
    running = []
    for service in services:
        if not runnable(service):
            raise StackError(f"{module_of(service)} cannot be run: it has no __main__")
        command = [sys.executable, "-m", module_of(service), "migrate"]
        child = subprocess.Popen(
            command,
            env=surroundings.environment_of(service),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append((service, child))
    outputs = [
        (service, child, child.communicate(timeout=MIGRATION_TIMEOUT_S)[0]) for service, child in running
    ]
    for service, child, output in outputs:
        assert child.returncode == 0, f"migrating {service} failed:\n{output}"


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection outside the code under test, to look at what it did."""
    return await provision.connect(url)
