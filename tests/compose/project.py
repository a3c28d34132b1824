"""One compose project of its own: its name, its ports, its images, and what is asked of it."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.engine import ROOT

FILE = ROOT / "deploy" / "compose.yml"
PORT_BASE = 23_000
PORTS = {
    "FLORIN_TRANSACTION_PORT": 1,
    "FLORIN_ACCOUNT_PORT": 2,
    "FLORIN_FRAUD_PORT": 3,
    "FLORIN_NOTIFICATION_PORT": 4,
    "FLORIN_IDENTITY_PORT": 5,
    "FLORIN_POSTGRES_PORT": 32,
    "FLORIN_AMQP_PORT": 72,
    "FLORIN_MANAGEMENT_PORT": 80,
}


class Failed(Exception):
    """A command of the project, or a promise about it, that failed."""


@dataclass(frozen=True)
class Project:
    """Commands are run to their end, within their time, or raise Failed with the end of what they said."""

    name: str
    version: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        """`docker compose` on this project; what it printed."""
        return self._run(["docker", "compose", "-p", self.name, "-f", str(FILE), *words], timeout_s)

    def docker(self, *words: str, timeout_s: float = 120) -> str:
        """`docker`; what it printed."""
        return self._run(["docker", *words], timeout_s)

    def florin(self, *words: str, mount: Path | None = None, timeout_s: float = 600) -> str:
        """The command line in a container of the project; what it printed."""
        volumes = ["-v", f"{mount}:/given:ro"] if mount else []
        return self.compose("run", "--rm", "-T", *volumes, "florin", *words, timeout_s=timeout_s)

    def start_florin(self, *words: str, mount: Path) -> subprocess.Popen[str]:
        """The same, not waited for."""
        command = ["docker", "compose", "-p", self.name, "-f", str(FILE), "run", "--rm", "-T"]
        command += ["-v", f"{mount}:/given:ro", "florin", *words]
        return subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def containers(self, service: str) -> list[str]:
        """Ids of the service's containers."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> Mapping[str, Any]:
        """What the engine says of a container."""
        found: Mapping[str, Any] = json.loads(self.docker("inspect", container))[0]
        return found

    @property
    def environment(self) -> dict[str, str]:
        ports = {name: str(PORT_BASE + offset) for name, offset in PORTS.items()}
        return {**os.environ, **ports, "FLORIN_VERSION": self.version, **self.settings}

    def _run(self, command: Sequence[str], timeout_s: float) -> str:
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                timeout=timeout_s,
                text=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(command[-3:])}: no end after {timeout_s:.0f} s") from None
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-2_000:]}")
        return done.stdout
