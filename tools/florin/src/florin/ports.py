"""Which local ports a stack uses, and who sits on one that is taken."""

import contextlib
import fcntl
import random
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from florin.errors import StackError

DEFAULT_BASE = 24_000
HOST = "127.0.0.1"
API_OFFSETS = {"transaction": 1, "account": 2, "fraud": 3, "notification": 4, "identity": 5}
INTERNAL_DISTANCE = 100
# Free ranges for tests lie between the default range and the ports that systems hand out by themselves.
FREE_RANGE = (25_088, 32_512)
STRIDE = 128


@dataclass(frozen=True)
class Ports:
    """All ports of one stack, counted from one base."""

    base: int = DEFAULT_BASE

    def api(self, service: str) -> int:
        return self.base + API_OFFSETS[service]

    def internal(self, service: str) -> int:
        return self.api(service) + INTERNAL_DISTANCE

    @property
    def watch(self) -> int:
        """Metrics of the continuous verifier."""
        return self.base + 110

    @property
    def postgres(self) -> int:
        return self.base + 32

    @property
    def epmd(self) -> int:
        return self.base + 69

    @property
    def amqp(self) -> int:
        return self.base + 72

    @property
    def amqp_distribution(self) -> int:
        return self.base + 73

    @property
    def redis(self) -> int:
        return self.base + 79

    @property
    def amqp_management(self) -> int:
        return self.base + 80

    @property
    def amqp_prometheus(self) -> int:
        return self.base + 92

    def all(self) -> list[int]:
        """Every port of the stack."""
        services = [port for name in API_OFFSETS for port in (self.api(name), self.internal(name))]
        backing = [self.postgres, self.epmd, self.amqp, self.amqp_distribution]
        return [*services, *backing, self.watch, self.redis, self.amqp_management, self.amqp_prometheus]


def listening(port: int) -> bool:
    """Whether something accepts connections on this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def is_free(port: int) -> bool:
    """Whether a program could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return not listening(port)


def require_free(port: int, purpose: str) -> None:
    """Raises StackError that names the port, who holds it and the way out."""
    if is_free(port):
        return
    raise StackError(
        f"port {port} ({purpose}) is taken by {_holder(port)}: "
        f"stop that program, or choose other ports, for example FLORIN_PORT_BASE={_another_base(port)}"
    )


@contextlib.contextmanager
def reserved_base() -> Iterator[int]:
    """A base whose ports are all free; no other test session of this machine gets it during the block."""
    folder = Path(tempfile.gettempdir()) / "florin-ports"
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o777)
    bases = list(range(*FREE_RANGE, STRIDE))
    random.shuffle(bases)
    for base in bases:
        with contextlib.ExitStack() as held:
            try:
                lock = held.enter_context((folder / str(base)).open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if all(is_free(port) for port in Ports(base).all()):
                yield base
                return
    raise StackError(f"no free range of ports between {FREE_RANGE[0]} and {FREE_RANGE[1]}")


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid is None:
                continue
            if connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"


def _another_base(port: int) -> int:
    base = (port // 1_000 + 1) * 1_000
    while base < 60_000 and not all(is_free(candidate) for candidate in Ports(base).all()):
        base += 1_000
    return base
