"""The Postgres, RabbitMQ and Redis of tests: given by URL, else private local ones, else containers.

Each is brought at first use and kept for the test session. `FLORIN_TEST_BACKING` forces one way:
`urls`, `local` or `containers`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from florin.backing import Postgres, RabbitMQ, choosing, debian, rabbitmq_programs
from florin.backing import redis as redis_programs
from florin.backing.redis import Redis
from florin.credentials import Credentials, load_or_make, write_private
from florin.errors import StackError
from florin.ports import Ports, reserved_base
from florin.processes import Daemon, Identity, read_identity

from testkit import containers

DATABASE_VARIABLE = "FLORIN_TEST_DATABASE_ADMIN_URL"
BROKER_VARIABLE = "FLORIN_TEST_BROKER_URL"
MANAGEMENT_VARIABLE = "FLORIN_TEST_BROKER_MANAGEMENT_URL"
REDIS_VARIABLE = "FLORIN_TEST_REDIS_URL"
WAY_VARIABLE = "FLORIN_TEST_BACKING"
FOLDER_PREFIX = "florin-test-"
OWNER_FILE = "owner.json"
# Anyone may pass through, so that the account Postgres runs as under root reaches its data; nobody may list.
PASSABLE = 0o711


class Backing:
    """What one test session stands on. Needs that cannot be met here skip a test with the reason."""

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()
        self._way = os.environ.get(WAY_VARIABLE, "")
        self._folder: Path | None = None
        self._ports: Ports | None = None
        self._database_admin_url = os.environ.get(DATABASE_VARIABLE, "")
        self._broker_url = os.environ.get(BROKER_VARIABLE, "")
        self._redis_url = os.environ.get(REDIS_VARIABLE, "")
        self.postgres: Postgres | None = None
        self.rabbitmq: RabbitMQ | None = None

    @property
    def folder(self) -> Path:
        """A folder of this session, removed at its end."""
        if self._folder is None:
            sweep_abandoned()
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            self._folder.chmod(PASSABLE)
            write_private(self._folder / OWNER_FILE, asdict(Identity.of(os.getpid())))
            self._closing.callback(shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    @property
    def credentials(self) -> Credentials:
        """The passwords of everything this session starts."""
        return load_or_make(self.folder)

    @property
    def ports(self) -> Ports:
        """Free ports for this session's backing services."""
        if self._ports is None:
            self._ports = Ports(self._closing.enter_context(reserved_base()))
        return self._ports

    @property
    def database_admin_url(self) -> str:
        """A superuser's `postgresql://` address."""
        if not self._database_admin_url:
            self._require_not_urls(DATABASE_VARIABLE)
            if self._way == "containers":
                self._database_admin_url = containers.start_postgres(self._closing)
            else:
                self._database_admin_url = self._start_local_postgres()
        return self._database_admin_url

    @property
    def broker_url(self) -> str:
        """An administrator's `amqp://` address."""
        if not self._broker_url:
            self._require_not_urls(BROKER_VARIABLE)
            if self._way != "containers" and _can_be_run("rabbitmq", rabbitmq_programs.installed):
                self._broker_url = self._start_local_rabbitmq()
            elif self._way == "local":
                pytest.skip(
                    "RabbitMQ is not installed: install rabbitmq-server, or set FLORIN_TEST_BROKER_URL"
                )
            else:
                self._broker_url = containers.start_rabbitmq(self._closing)
        return self._broker_url

    @property
    def broker_management_url(self) -> str:
        """The HTTP address of the broker's management, credentials included."""
        known = self.known_management_url
        if known is None:
            pytest.skip(f"only the broker's AMQP address is known: set {MANAGEMENT_VARIABLE}")
        return known

    @property
    def known_management_url(self) -> str | None:
        """The same, None where only the broker's AMQP address is known."""
        given = os.environ.get(MANAGEMENT_VARIABLE)
        if given:
            return given
        # The broker is started when its address is first asked for.
        return self.rabbitmq.management_url if self.broker_url and self.rabbitmq is not None else None

    @property
    def broker_url_if_started(self) -> str:
        """The broker's address, or one that leads nowhere: who needs only the database starts no broker."""
        return self._broker_url or "amqp://unused:unused@127.0.0.1:1/"

    @property
    def redis_url(self) -> str:
        """The address of a Redis or Valkey of this session's own."""
        if not self._redis_url:
            self._require_not_urls(REDIS_VARIABLE)
            if self._way != "containers" and _can_be_run("redis", redis_programs.installed):
                self._redis_url = self._start_local_redis()
            elif self._way == "local":
                pytest.skip("Redis is not installed: install redis-server, or set FLORIN_TEST_REDIS_URL")
            else:
                self._redis_url = containers.start_redis(self._closing)
        return self._redis_url

    def close(self) -> None:
        """Ends whatever this session started and removes its folder."""
        self._closing.close()

    def _require_not_urls(self, variable: str) -> None:
        if self._way == "urls":
            pytest.skip(f"{WAY_VARIABLE}=urls, and {variable} is not set")

    def _start_local_postgres(self) -> str:
        folder = self.folder
        self.postgres = Postgres(
            folder=folder / "postgres",
            run_dir=folder,
            port=self.ports.postgres,
            password=self.credentials.postgres,
        )
        self._closing.callback(self.postgres.wipe)
        self._closing.callback(self.postgres.kill)
        self.postgres.start()
        return self.postgres.url

    def _start_local_rabbitmq(self) -> str:
        folder = self.folder
        self.rabbitmq = RabbitMQ(
            folder=folder / "rabbitmq",
            run_dir=folder,
            ports=self.ports,
            password=self.credentials.broker,
            node=self.credentials.node,
        )
        self._closing.callback(self.rabbitmq.epmd.kill)
        # Nothing of it is kept, so nothing is gained by an orderly end, which takes seconds.
        self._closing.callback(self.rabbitmq.kill)
        self.rabbitmq.start()
        return self.rabbitmq.url

    def _start_local_redis(self) -> str:
        redis = Redis(
            folder=self.folder / "redis",
            run_dir=self.folder,
            port=self.ports.redis,
            password=self.credentials.redis,
        )
        self._closing.callback(redis.kill)
        redis.start()
        return redis.url


def _can_be_run(name: str, installed: Callable[[], bool]) -> bool:
    """Whether it is on this machine, brought by apt if need be: no test is skipped for it."""
    if not installed() and debian.usable():
        package = choosing.PACKAGES[name]
        debian.install(package, service=package, say=lambda line: print(line, file=sys.stderr))
    return installed()


def sweep_abandoned() -> None:
    """Ends the servers of test sessions that were killed, and removes what they left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with contextlib.ExitStack() as held:
            try:
                owner_file = held.enter_context((folder / OWNER_FILE).open())
                # Of sessions that begin at once one sweeps; the others would look for what it removes.
                fcntl.flock(owner_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                owner = json.load(owner_file)
                identity = Identity(pid=owner["pid"], started_at=owner["started_at"])
                if folder.stat().st_uid != os.geteuid() or identity.process() is not None:
                    continue
            except (OSError, ValueError, KeyError):
                continue
            _sweep(folder)


def _sweep(folder: Path) -> None:
    for pid_file in folder.glob("**/pids/*.pid"):
        if read_identity(pid_file) is not None:
            Daemon(pid_file.stem, pid_file=pid_file, log_file=folder / "unused").kill()
    with contextlib.suppress(StackError):
        Postgres(folder=folder / "postgres", run_dir=folder, port=0, password="").wipe()
    shutil.rmtree(folder, ignore_errors=True)
