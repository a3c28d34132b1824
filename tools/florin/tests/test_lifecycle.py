"""The commands as a person uses them, on a run folder and ports of their own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from florin.backing import debian, rabbitmq_programs
from florin.ports import HOST, Ports, reserved_base

COMMAND_TIMEOUT_S = 240
GIVEN = ("FLORIN_DATABASE_ADMIN_URL", "FLORIN_BROKER_URL", "FLORIN_REDIS_URL")
pytestmark = pytest.mark.skipif(
    not rabbitmq_programs.installed() and not debian.usable(),
    reason="RabbitMQ is neither installed nor may it be installed here",
)


@dataclass(frozen=True)
class Shell:
    """Runs `florin` as a person would."""

    run_dir: Path
    ports: Ports

    def florin(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
        environment |= {
            "FLORIN_RUN_DIR": str(self.run_dir),
            "FLORIN_PORT_BASE": str(self.ports.base),
            **variables,
        }
        program = Path(sys.executable).with_name("florin")
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def parts(self) -> dict[str, dict[str, Any]]:
        document = json.loads(self.florin("status", "--json").stdout)
        return {part["name"]: part for part in document["parts"]}


@pytest.fixture
def shell() -> Iterator[Shell]:
    run_dir = Path(tempfile.mkdtemp(prefix="florin-shell-"))
    run_dir.chmod(0o711)
    with reserved_base() as base:
        shell = Shell(run_dir, Ports(base))
        try:
            yield shell
        finally:
            shell.florin("down", "--wipe")
            shutil.rmtree(run_dir)


def processes_of(run_dir: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(run_dir) in " ".join(process.info["cmdline"] or ())
        or str(run_dir) in ((process.info["environ"] or {}).get("FLORIN_KEYRING_FILE") or "")
    ]


def test_a_stack_from_up_to_down(shell: Shell) -> None:
    """up; up again changes nothing; a killed service is shown and brought back alone; down leaves nothing."""
    first = shell.florin("up")
    assert first.returncode == 0, first.stderr
    before = shell.parts()
    assert all(part["ready"] for part in before.values())
    assert len(before) == 8

    again = shell.florin("up")
    assert "already" in again.stdout
    assert shell.parts() == before

    os.kill(before["account"]["pid"], signal.SIGKILL)
    status = shell.florin("status")
    assert status.returncode == 1
    assert "down" in status.stdout

    assert shell.florin("up").returncode == 0
    after = shell.parts()
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == {"account"}

    _stop_and_restart_one(shell)
    _ask_by_sql(shell)

    elsewhere = shell.florin("up", FLORIN_PORT_BASE=str(shell.ports.base + 15_000))
    assert elsewhere.returncode == 1
    assert "already runs on the ports" in elsewhere.stderr

    for keeper in ("users", "customers"):
        _rotate_key_encryption_keys(shell, keeper)

    assert shell.florin("logs", "account", "-n", "2").stdout.count("\n") == 2
    assert shell.florin("down").returncode == 0
    assert processes_of(shell.run_dir) == []
    assert (shell.run_dir / "credentials.json").exists()
    assert shell.florin("down", "--wipe").returncode == 0
    assert list(shell.run_dir.glob("*.json")) == []


def _stop_and_restart_one(shell: Shell) -> None:
    """The parts named, and no others."""
    before = shell.parts()
    assert shell.florin("down", "fraud").returncode == 0
    assert [name for name, part in shell.parts().items() if not part["ready"]] == ["fraud"]
    assert shell.florin("restart", "fraud", "redis").returncode == 0
    after = shell.parts()
    assert all(part["ready"] for part in after.values())
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == {"fraud", "redis"}
    for refused, why in (
        (("down", "nobody"), "no part 'nobody'"),
        (("down", "redis", "--wipe"), "whole stack"),
    ):
        assert why in shell.florin(*refused).stderr
    others = shell.florin("down", "redis", FLORIN_API_ADDRESS="http://{service}:8080")
    assert "others start these processes" in others.stderr


def _ask_by_sql(shell: Shell) -> None:
    """Everything can be read, sessions of others too, and nothing changed."""
    asked = "SELECT count(*) AS seen FROM pg_stat_activity WHERE usename = 'account_app' AND state <> ''"
    (row,) = json.loads(shell.florin("sql", asked, "--json").stdout)
    assert row["seen"] > 0
    refused = shell.florin("sql", "DELETE FROM account.accounts")
    assert refused.returncode == 1
    assert "read-only" in refused.stderr
    assert "PostgresSyntaxError" in shell.florin("sql", "SELECT 1; DELETE FROM account.accounts").stderr


def _rotate_key_encryption_keys(shell: Shell, keeper: str) -> None:
    rotated = shell.florin(keeper, "rotate-keys").stdout
    (active,) = re.findall(r"keys were brought under (kek-\d+)", rotated)
    assert f"0 keys were brought under {active}" in shell.florin(keeper, "rotate-keys", "--keep").stdout
    refused = {active: "is the active key", "kek-1": "s ago or less: try again later"}
    for key, why in refused.items():
        dropped = shell.florin(keeper, "drop-key", key)
        assert dropped.returncode == 1
        assert why in dropped.stderr


def test_a_taken_port_is_one_line_and_leaves_nothing_running(shell: Shell) -> None:
    with socket.socket() as holder:
        holder.bind((HOST, shell.ports.postgres))
        holder.listen()
        done = shell.florin("up")
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert f"port {shell.ports.postgres} (postgres) is taken by" in lines[0]
    assert processes_of(shell.run_dir) == []


def test_a_server_given_by_url_that_is_away_is_one_line(shell: Shell) -> None:
    done = shell.florin(
        "up", FLORIN_DATABASE_ADMIN_URL=f"postgresql://root:hidden@{HOST}:{shell.ports.postgres}/x"
    )
    assert done.returncode == 1
    assert (
        f"postgres at {HOST}:{shell.ports.postgres} (FLORIN_DATABASE_ADMIN_URL) cannot be reached"
        in done.stderr
    )
    assert "hidden" not in done.stderr + done.stdout
    assert processes_of(shell.run_dir) == []


@pytest.mark.parametrize("base", ["x", "80", "-1", "99999", "２４０００"])
def test_an_impossible_base_is_one_line(base: str, tmp_path: Path) -> None:
    done = Shell(tmp_path, Ports()).florin("status", FLORIN_PORT_BASE=base)
    assert done.returncode == 1
    assert "FLORIN_PORT_BASE must be a port number" in done.stderr
