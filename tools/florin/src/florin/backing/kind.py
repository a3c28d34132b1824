"""What every backing service can do, whether it is a process here, a container, or somebody else's server."""

import socket
from typing import Protocol
from urllib.parse import urlsplit

from florin.errors import StackError

DEFAULT_PORTS = {
    "postgresql": 5432,
    "postgres": 5432,
    "amqp": 5672,
    "amqps": 5671,
    "redis": 6379,
    "rediss": 6379,
}
REACH_TIMEOUT_S = 3.0


class BackingService(Protocol):
    """One server the services stand on."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int | None: ...

    def running(self) -> bool: ...

    def ready(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def wipe(self) -> None: ...


class Given:
    """A server named by a URL of the environment: used, never started, stopped or wiped."""

    pid: int | None = None

    def __init__(self, name: str, url: str, *, variable: str) -> None:
        self.name = name
        self.url = url
        self._variable = variable
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        try:
            self.port = parts.port or DEFAULT_PORTS[parts.scheme]
        except (KeyError, ValueError):
            # The URL bears a password: it is never repeated.
            raise StackError(f"{variable} is not an address of {name}") from None

    def running(self) -> bool:
        return self.ready()

    def ready(self) -> bool:
        """Whether something listens there."""
        try:
            with socket.create_connection((self._host, self.port), timeout=REACH_TIMEOUT_S):
                return True
        except OSError:
            return False

    def start(self) -> None:
        if not self.ready():
            raise StackError(f"{self.name} at {self._host}:{self.port} ({self._variable}) cannot be reached")

    def stop(self) -> None:
        """Nothing: it is not ours."""

    def kill(self) -> None:
        """Nothing: it is not ours."""

    def wipe(self) -> None:
        """Nothing: it is not ours."""
