"""Processes are found again by what they are, not by a number that the system uses again."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from florin.errors import StackError
from florin.processes import Daemon, Identity
from testkit.waiting import eventually

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon("sleeper", pid_file=tmp_path / "pids" / "sleeper.pid", log_file=tmp_path / "sleeper.log")


def start(daemon: Daemon, command: list[str] | None = None) -> None:
    daemon.start(command or SLEEPER, env=dict(os.environ))


def test_a_started_program_is_found_by_another_holder_of_its_pid_file(daemon: Daemon) -> None:
    start(daemon)
    try:
        again = Daemon("sleeper", pid_file=daemon.pid_file, log_file=daemon.log_file)
        assert again.pid == daemon.pid is not None
    finally:
        daemon.kill()
    assert daemon.pid is None


def test_a_pid_that_now_belongs_to_another_program_is_stale(daemon: Daemon) -> None:
    """The file names this very test process, but a start in another year: it must not be taken for ours."""
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text(f'{{"pid": {os.getpid()}, "started_at": 1000000000.0}}')
    assert daemon.process() is None
    daemon.stop()
    daemon.kill()
    assert psutil.pid_exists(os.getpid())


@pytest.mark.parametrize("content", ["", "17", "{}", '{"pid": "x"}'])
def test_a_damaged_pid_file_counts_as_none(daemon: Daemon, content: str) -> None:
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text(content)
    assert daemon.process() is None


async def test_a_program_that_died_by_itself_is_down(daemon: Daemon) -> None:
    start(daemon)
    process = daemon.process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await eventually(lambda: daemon.process() is None)


def test_kill_takes_the_children_along(daemon: Daemon) -> None:
    inner = "print(1, flush=True); import time; time.sleep(600)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    start(daemon, [sys.executable, "-c", program])
    daemon.wait_until(lambda: daemon.log_file.read_text() == "1\n", timeout_s=20)
    process = daemon.process()
    assert process is not None
    children = process.children(recursive=True)
    daemon.kill()
    assert children
    assert not any(child.is_running() for child in children)


def test_a_program_that_ends_while_starting_shows_its_last_words(daemon: Daemon) -> None:
    start(daemon, [sys.executable, "-c", "raise SystemExit('no such setting')"])
    with pytest.raises(StackError, match=r"ended while starting(.|\n)*no such setting"):
        daemon.wait_until(lambda: False, timeout_s=20)


def test_an_identity_survives_small_adjustments_of_the_clock() -> None:
    own = Identity.of(os.getpid())
    assert Identity(pid=own.pid, started_at=own.started_at + 1).process() is not None
    assert Identity(pid=own.pid, started_at=own.started_at + 10).process() is None
