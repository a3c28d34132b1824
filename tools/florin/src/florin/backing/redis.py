"""A private Redis or Valkey server from whichever of the two is installed."""

import os
import shutil
import socket
from pathlib import Path

from florin.backing.rabbitmq_programs import search_path
from florin.errors import StackError
from florin.ports import HOST, require_free
from florin.processes import Daemon

PROGRAMS = ("valkey-server", "redis-server")
START_TIMEOUT_S = 20.0


def installed() -> bool:
    """Whether one of the two servers is on this machine."""
    return _program() is not None


class Redis:
    """One server with its data under `folder`; kept between runs until `wipe`."""

    name = "redis"

    def __init__(self, *, folder: Path, run_dir: Path, port: int, password: str) -> None:
        self.port = port
        self._folder = folder
        self._password = password
        self.daemon = Daemon(
            self.name, pid_file=run_dir / "pids" / "redis.pid", log_file=run_dir / "logs" / "redis.log"
        )

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        return self.daemon.pid

    def running(self) -> bool:
        return self.daemon.process() is not None

    def ready(self) -> bool:
        """Whether our server is up and answers."""
        return self.running() and self.answers()

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Starts the server; returns when it answers."""
        if self.running():
            return
        program = _program()
        if program is None:
            raise StackError("neither Redis nor Valkey is installed")
        require_free(self.port, self.name)
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "server.conf"
        configuration.touch(mode=0o600)
        configuration.chmod(0o600)
        lines = (f"bind {HOST}", f"port {self.port}", f"requirepass {self._password}", "appendonly yes")
        configuration.write_text("\n".join(lines) + "\n")
        self.daemon.start([program, configuration], env=dict(os.environ), cwd=self._folder)
        try:
            self.daemon.wait_until(self.answers, timeout_s=timeout_s)
        except StackError:
            self.daemon.kill()
            raise

    def stop(self) -> None:
        self.daemon.stop()

    def kill(self) -> None:
        self.daemon.kill()

    def wipe(self) -> None:
        """Removes all data of a stopped server."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def answers(self) -> bool:
        """Whether our password is taken on our port now."""
        try:
            with socket.create_connection((HOST, self.port), timeout=2.0) as probe:
                probe.sendall(f"AUTH {self._password}\r\n".encode())
                return probe.recv(3) == b"+OK"
        except OSError:
            return False


def _program() -> Path | None:
    found = (shutil.which(name, path=search_path()) for name in PROGRAMS)
    return next((Path(path) for path in found if path), None)
