"""A backing service in a Docker container, for a machine that has Docker and not the program itself."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from florin.errors import StackError
from florin.ports import HOST, require_free

DOCKER_TIMEOUT_S = 300
READY_TIMEOUT_S = 120.0
POLL_S = 0.2


class Server(Protocol):
    """Who knows the server's address and whether it answers, wherever it runs."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def port(self) -> int: ...

    def answers(self) -> bool: ...


@dataclass(frozen=True)
class Recipe:
    """What to run: image, environment, command, and which local port leads to which one inside."""

    image: str
    ports: Mapping[int, int]
    data: str
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()


def usable() -> bool:
    """Whether a Docker engine answers us."""
    return shutil.which("docker") is not None and _docker("info").returncode == 0


class Container:
    """One named container with a named volume, standing in for a process here."""

    pid: int | None = None

    def __init__(self, server: "Server", *, recipe: Recipe, node: str, marker: Path) -> None:
        self._server = server
        self._recipe = recipe
        self._label = f"florin-{server.name}-{node}"
        self._marker = marker

    @property
    def name(self) -> str:
        return self._server.name

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    def running(self) -> bool:
        done = _docker("inspect", "--format", "{{.State.Running}}", self._label)
        return done.returncode == 0 and done.stdout.strip() == "true"

    def ready(self) -> bool:
        """Whether the server inside answers now."""
        return self.running() and self._server.answers()

    def start(self) -> None:
        """Starts the container, made at first use; returns when the server inside answers."""
        if self.running():
            return
        for port in self._recipe.ports:
            require_free(port, self.name)
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.write_text(self._label + "\n")
        _docker("rm", "--force", self._label)
        published = [
            part for here, inside in self._recipe.ports.items() for part in ("-p", f"{HOST}:{here}:{inside}")
        ]
        told = [
            part for name, value in self._recipe.environment.items() for part in ("-e", f"{name}={value}")
        ]
        volume = ("-v", f"{self._label}:{self._recipe.data}", "--hostname", self.name)
        done = _docker(
            *("run", "--detach", "--name", self._label, *volume, *published, *told),
            *(self._recipe.image, *self._recipe.command),
        )
        if done.returncode != 0:
            raise StackError(f"docker could not run {self._recipe.image}: {_last_line(done.stderr)}")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._server.answers():
            if time.monotonic() > deadline or not self.running():
                self.kill()
                raise StackError(
                    f"{self.name} in Docker did not become ready: see `docker logs {self._label}`"
                )
            time.sleep(POLL_S)

    def stop(self) -> None:
        _docker("stop", "--time", "30", self._label)

    def kill(self) -> None:
        _docker("kill", self._label)

    def wipe(self) -> None:
        """Removes container and volume."""
        _docker("rm", "--force", self._label)
        _docker("volume", "rm", "--force", self._label)
        self._marker.unlink(missing_ok=True)


def _docker(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=DOCKER_TIMEOUT_S
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
