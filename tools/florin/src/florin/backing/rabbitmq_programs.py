"""Where RabbitMQ's and Erlang's programs are on this machine."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from florin.errors import StackError

EXTRA_PATHS = (
    "/opt/homebrew/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)

PREFIXES = ("/opt/homebrew/opt/rabbitmq", "/usr/local/opt/rabbitmq", "/opt/rabbitmq", "/usr/local/rabbitmq")
DEBIAN = Path("/usr/lib/rabbitmq")


@dataclass(frozen=True)
class Programs:
    """The start script that runs as whoever calls it, and Erlang's port mapper."""

    server: Path
    epmd: Path


def installed() -> bool:
    """Whether a node could be started from what is on this machine."""
    return _server() is not None and _epmd() is not None


def find() -> Programs:
    """The programs; raises StackError when they are not installed."""
    server, epmd = _server(), _epmd()
    if server is None or epmd is None:
        raise StackError("RabbitMQ is not installed")
    return Programs(server=server, epmd=epmd)


def search_path() -> str:
    """A PATH that finds erl, whatever the caller's own PATH lacks."""
    return os.pathsep.join([*os.environ.get("PATH", "").split(os.pathsep), *EXTRA_PATHS])


def _server() -> Path | None:
    return next((path for path in _server_candidates() if os.access(path, os.X_OK)), None)


def _server_candidates() -> Iterator[Path]:
    # Debian's /usr/sbin/rabbitmq-server changes to the system's rabbitmq account; this one does not.
    yield DEBIAN / "bin" / "rabbitmq-server"
    for prefix in PREFIXES:
        yield Path(prefix) / "sbin" / "rabbitmq-server"
    yield from sorted(DEBIAN.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server"), reverse=True)
    found = shutil.which("rabbitmq-server")
    if found and not found.startswith("/usr/sbin/"):
        yield Path(found)


def _epmd() -> Path | None:
    found = shutil.which("epmd", path=search_path())
    if found:
        return Path(found)
    erl = shutil.which("erl", path=search_path())
    if erl is None:
        return None
    root = Path(erl).resolve().parent.parent
    return next(iter(sorted(root.glob("erts-*/bin/epmd"), reverse=True)), None)
