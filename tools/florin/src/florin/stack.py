"""One whole Florin on this machine: Postgres, RabbitMQ, Redis and the services in one run folder.

Several stacks live side by side when their run folders and port bases differ; fault tests start their own.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from florin import broker_users, provision, topology
from florin.backing import choosing
from florin.backing.kind import BackingService, Given
from florin.blocking import run_blocking
from florin.credentials import Credentials, load_or_make
from florin.environment import NAMESPACE, Detour, Surroundings
from florin.errors import StackError
from florin.ports import DEFAULT_BASE, Ports, require_free
from florin.running import Services
from florin.services import PROCESSES, SERVICES

BASE_VARIABLE = "FLORIN_PORT_BASE"
RUN_DIR_VARIABLE = "FLORIN_RUN_DIR"
API_VARIABLE = "FLORIN_API_ADDRESS"
POOLER_VARIABLE = "FLORIN_DATABASE_POOLER"
HIGHEST_BASE = 65_000
Say = Callable[[str], None]


def silent(_line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class Part:
    """One line of `florin status`."""

    name: str
    pid: int | None
    port: int
    state: str
    ready: bool


class Stack:
    """Starts, stops, kills and describes the parts by name: postgres, rabbitmq, redis, transaction, …"""

    def __init__(
        self,
        *,
        run_dir: Path,
        ports: Ports,
        say: Say = silent,
        services: Sequence[str] = PROCESSES,
        given: Mapping[str, str] = os.environ,
        settings: Mapping[str, str] | None = None,
        detours: Mapping[str, Detour] | None = None,
    ) -> None:
        """`given` may name servers to use by URL; `settings` are more variables for the services; `detours`
        lead a service to its servers by other ports."""
        self.run_dir = run_dir.resolve()
        self.ports = ports
        self._say = say
        self._names = services
        self._given = given
        self._settings = settings or {}
        self._detours = detours or {}

    @cached_property
    def credentials(self) -> Credentials:
        return load_or_make(self.run_dir)

    @cached_property
    def backing(self) -> dict[str, BackingService]:
        """Postgres, RabbitMQ and Redis, by name."""
        made = (kind(self._given, self.run_dir, self.ports, self.credentials) for kind in _KINDS)
        return {service.name: service for service in made}

    @cached_property
    def surroundings(self) -> Surroundings:
        """Where the services find things; also what a client of this stack needs."""
        return Surroundings(
            run_dir=self.run_dir,
            ports=self.ports,
            credentials=self.credentials,
            database_admin_url=self.backing["postgres"].url,
            broker_url=self.backing["rabbitmq"].url,
            redis_url=self.backing["redis"].url,
            api_address=self._given.get(API_VARIABLE) or None,
            pooler=self._given.get(POOLER_VARIABLE) or None,
            broker_management_url=choosing.broker_management(self._given, self.ports, self.credentials),
            namespace=self._given.get("FLORIN_BROKER_NAMESPACE", NAMESPACE),
            extra=self._settings,
            detours=self._detours,
        )

    @property
    def elsewhere(self) -> bool:
        """Whether others start the services, and we only ask them."""
        return self.surroundings.api_address is not None

    @cached_property
    def services(self) -> Services:
        return Services(self.surroundings, names=self._names)

    def up(self) -> bool:
        """Starts whatever does not run; False when all ran already. Failing, it stops what it started."""
        with self.alone():
            if self._all_ready():
                return False
            choosing.bring_missing(self._given, self.run_dir, say=self._say)
            # The choice between process and container may just have been made.
            for chosen in ("backing", "surroundings", "services"):
                self.__dict__.pop(chosen, None)
            idle = [service for service in self.backing.values() if not service.running()]
            self._check_way_is_free()
            (self.run_dir / "stack.json").write_text(json.dumps({"base": self.ports.base}) + "\n")
            try:
                self._start_backing()
                self._say("topology: exchanges, queues and users")
                self.apply_topology()
                self._say("services: " + ", ".join(self.services.names))
                self.services.start_all()
            except BaseException:
                _stop_each(idle)
                raise
            return True

    def down(self, *, wipe: bool = False) -> None:
        """Stops everything of this run folder; its data stays unless `wipe`."""
        with self.alone():
            self.services.stop_all()
            self._say("services stopped")
            _stop_each(list(self.backing.values()))
            self._say("postgres, rabbitmq and redis stopped")
            if wipe:
                for service in self.backing.values():
                    service.wipe()
                for document in self.run_dir.glob("*.json"):  # every key and password
                    document.unlink()

    def status(self) -> list[Part]:
        """Every part, backing services first."""
        parts = [
            Part(one.name, one.pid, one.port, _state(running=one.running(), ready=one.ready()), one.ready())
            for one in self.backing.values()
        ]
        for name in self.services.names:
            running, ready = self.services.running(name), self.services.ready(name)
            pid = self.services.daemons[name].pid
            parts.append(Part(name, pid, self.ports.api(name), _state(running=running, ready=ready), ready))
        return parts

    def start(self, name: str) -> None:
        """Starts one part and returns when it is ready."""
        if name in self.backing:
            self.backing[name].start()
        else:
            self.services.start(name)

    def stop(self, name: str) -> None:
        """Stops one part in good order."""
        if name in self.backing:
            self.backing[name].stop()
        else:
            self.services.stop(name)

    def kill(self, name: str) -> None:
        """SIGKILL to one part."""
        if name in self.backing:
            self.backing[name].kill()
        else:
            self.services.kill(name)

    def apply_topology(self) -> None:
        """Declares exchanges and queues, and makes the services' users where the broker lets us."""
        here = self.surroundings
        run_blocking(lambda: topology.apply(here.broker_url, here.namespace))
        if here.broker_management_url is not None:
            passwords = {name: self.credentials.broker_password_of(name) for name in SERVICES}
            broker_users.apply(
                here.broker_management_url,
                here.broker_url,
                here.namespace,
                passwords=passwords,
                watcher_password=self.credentials.broker_password_of("watcher"),
            )

    def provision(self) -> None:
        """Makes roles, database and schemas."""
        admin_url, roles = self.surroundings.database_admin_url, self.credentials.roles
        run_blocking(lambda: provision.provision(admin_url, passwords=roles))

    def _start_backing(self) -> None:
        # The broker takes seconds to boot: the database is made ready meanwhile.
        with ThreadPoolExecutor(max_workers=2) as pool:
            self._say("rabbitmq and redis")
            pending = [pool.submit(self.backing[name].start) for name in ("rabbitmq", "redis")]
            try:
                self._say("postgres: roles, schemas, migrations")
                self.backing["postgres"].start()
                self.provision()
                self.services.migrate()
            finally:
                failures = [one.exception() for one in pending]
        for failure in failures:
            if failure is not None:
                raise failure

    def _check_way_is_free(self) -> None:
        """Raises StackError before anything is started when a port is taken or a given server is away."""
        ports = self.ports
        needed = {
            "postgres": [ports.postgres],
            "rabbitmq": [ports.amqp, ports.amqp_distribution, ports.amqp_management, ports.amqp_prometheus],
            "redis": [ports.redis],
        }
        for name, service in self.backing.items():
            if isinstance(service, Given):
                service.start()
            elif not service.running():
                for port in needed[name]:
                    require_free(port, name)
        for name in self.services.names:
            if not self.services.running(name):
                self.services.check_ports(name)

    def _all_ready(self) -> bool:
        return all(part.ready for part in self.status())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Two commands on one run folder take turns."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.run_dir / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._say(f"waiting for another florin command on {self.run_dir}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


_KINDS = (choosing.database, choosing.broker, choosing.cache)


def default_run_dir() -> Path:
    """FLORIN_RUN_DIR, else `.run` of the checkout this code lies in, else of the current folder."""
    asked = os.environ.get(RUN_DIR_VARIABLE)
    if asked:
        return Path(asked).resolve()
    checkout = Path(__file__).resolve().parents[4]
    return (checkout if (checkout / "requirements.lock").exists() else Path.cwd()) / ".run"


def stack_here(*, say: Say = silent) -> Stack:
    """The stack of this run folder: on the ports asked for, else on those it was last started with."""
    run_dir = default_run_dir()
    recorded = _recorded_base(run_dir)
    asked = os.environ.get(BASE_VARIABLE)
    base = _checked_base(asked) if asked else recorded or DEFAULT_BASE
    if recorded and recorded != base:
        running = Stack(run_dir=run_dir, ports=Ports(recorded))
        if any(part.pid for part in running.status()):
            raise StackError(
                f"{run_dir} already runs on the ports from {recorded}: "
                f"`florin down` first, without {BASE_VARIABLE}, or choose another {RUN_DIR_VARIABLE}"
            )
    return Stack(run_dir=run_dir, ports=Ports(base), say=say)


def _recorded_base(run_dir: Path) -> int | None:
    try:
        return int(json.loads((run_dir / "stack.json").read_text())["base"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checked_base(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1_024 <= int(text) <= HIGHEST_BASE:
        raise StackError(f"{BASE_VARIABLE} must be a port number from 1024 to {HIGHEST_BASE}")
    return int(text)


def _stop_each(services: list[BackingService]) -> None:
    if services:
        with ThreadPoolExecutor(max_workers=len(services)) as pool:
            list(pool.map(lambda one: one.stop(), services))


def _state(*, running: bool, ready: bool) -> str:
    if ready:
        return "ready"
    return "starting" if running else "down"
