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
    "FLORIN_PROMETHEUS_PORT": 90,
    "FLORIN_ALERTMANAGER_PORT": 93,
    "FLORIN_GRAFANA_PORT": 30,
}


Figures = dict[str, str]


class Failed(Exception):
    """A command of the project, or a promise about it, that failed."""


def must(held: bool, failure: str) -> None:
    """Raises Failed with this text unless it held."""
    if not held:
        raise Failed(failure)


@dataclass(frozen=True)
class Project:
    """Commands are run to their end, within their time, or raise Failed with the end of what they said."""

    name: str
    version: str
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = (FILE,)

    def port(self, variable: str) -> int:
        """Where it listens on this machine, by the variable that moves it."""
        return PORT_BASE + PORTS[variable]

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        """`docker compose` on this project; what it printed."""
        return self._run([*self._command, *words], timeout_s)

    def docker(self, *words: str, timeout_s: float = 120) -> str:
        """`docker`; what it printed."""
        return self._run(["docker", *words], timeout_s)

    def florin(self, *words: str, mount: Path | None = None, timeout_s: float = 600) -> str:
        """The command line in a container of the project; what it printed."""
        volumes = ["-v", f"{mount}:/given:ro"] if mount else []
        return self.compose("run", "--rm", "-T", *volumes, "florin", *words, timeout_s=timeout_s)

    def start_florin(self, *words: str, mount: Path) -> subprocess.Popen[str]:
        """The same, not waited for."""
        command = [*self._command, "run", "--rm", "-T", "-v", f"{mount}:/given:ro", "florin", *words]
        return subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def open_accounts(self, mount: Path, balances: Mapping[str, str]) -> None:
        """Accounts in EUR by `florin import accounts`, from a file that it writes to the folder `mount`."""
        mount.chmod(0o755)
        lines = [f"{account},Ann,EUR,{balance}" for account, balance in balances.items()]
        document = "\n".join(["account,holder,currency,opening_balance", *lines]) + "\n"
        (mount / "accounts.csv").write_text(document)
        rejects = ("--rejects", "/tmp/rejects.csv")
        self.florin("import", "accounts", "/given/accounts.csv", *rejects, mount=mount)

    def down(self) -> None:
        """Everything of every profile, with its data."""
        words = ("--profile", "*", "down", "-v", "--remove-orphans", "--timeout", "30")
        self.compose(*words, timeout_s=300)

    def containers(self, service: str) -> list[str]:
        """Ids of the service's containers."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> Mapping[str, Any]:
        """What the engine says of a container."""
        found: Mapping[str, Any] = json.loads(self.docker("inspect", container))[0]
        return found

    @property
    def environment(self) -> dict[str, str]:
        ports = {name: str(self.port(name)) for name in PORTS}
        return {**os.environ, **ports, "FLORIN_VERSION": self.version, **self.settings}

    @property
    def _command(self) -> list[str]:
        files = [word for file in self.files for word in ("-f", str(file))]
        return ["docker", "compose", "-p", self.name, *files]

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
