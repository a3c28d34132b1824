"""Programs that outlive the command that started them, found again by pid and start time."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from florin.errors import StackError

LOG_TAIL_LINES = 8
LOG_LINE_SHOWN = 400
LOG_ROTATE_BYTES = 32 * 1024 * 1024
POLL_S = 0.05
# The kernel counts a start time in ticks since boot; the wall clock may be adjusted between two readings.
START_TIME_TOLERANCE_S = 2.0


@dataclass(frozen=True)
class OsUser:
    """An account of the operating system, to run a program as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Identity:
    """One run of one program: a pid alone is used again by the system, a pid with its start time is not."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """The identity of a process that runs now; raises psutil.NoSuchProcess."""
        return cls(pid=pid, started_at=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The live process, or None when it has ended or its pid belongs to another program by now."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(self.pid)
                return None
            same = abs(process.create_time() - self.started_at) < START_TIME_TOLERANCE_S
        except psutil.NoSuchProcess:
            return None
        return process if same else None


class Daemon:
    """A named program in the background, with a pid file and a log file."""

    def __init__(self, name: str, *, pid_file: Path, log_file: Path) -> None:
        self.name = name
        self.pid_file = pid_file
        self.log_file = log_file

    def start(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        user: OsUser | None = None,
    ) -> None:
        """Starts the command in a session of its own; what it prints goes to the log file."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._rotate_log()
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
        # Detached on purpose: without this the Popen object would warn that its child still runs.
        child.returncode = 0
        with contextlib.suppress(psutil.NoSuchProcess):
            identity = Identity.of(child.pid)
            self.pid_file.write_text(json.dumps({"pid": identity.pid, "started_at": identity.started_at}))

    def process(self) -> psutil.Process | None:
        """The live process; a stale pid file counts as none."""
        identity = read_identity(self.pid_file)
        return identity.process() if identity else None

    @property
    def pid(self) -> int | None:
        process = self.process()
        return process.pid if process else None

    def stop(self, *, by: signal.Signals = signal.SIGTERM, timeout_s: float = 20.0) -> None:
        """Asks the program to end and waits; after the deadline it is killed. No effect on a stopped one."""
        process = self.process()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(by)
                try:
                    process.wait(timeout_s)
                except psutil.TimeoutExpired:
                    self.kill()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends the program and all its children with SIGKILL, at once, as a crash would."""
        process = self.process()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.kill()
                psutil.wait_procs(family, timeout=10)
        self.pid_file.unlink(missing_ok=True)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Returns once `ready` says yes; StackError with the log's last lines when the program ends first or
        the deadline passes."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.process() is None:
                raise StackError(f"{self.name} ended while starting.{self._tail_text()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready within {timeout_s:.0f} s.{self._tail_text()}")
            time.sleep(POLL_S)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> list[str]:
        """The last lines of the log, oldest first."""
        if not self.log_file.exists():
            return []
        with self.log_file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - lines * 2_000))
            return [
                line[:LOG_LINE_SHOWN] for line in log.read().decode(errors="replace").splitlines()[-lines:]
            ]

    def _tail_text(self) -> str:
        tail = self.log_tail()
        if not tail:
            return f" Its log {self.log_file} is empty."
        return f" The end of {self.log_file}:\n" + "\n".join(f"  {line}" for line in tail)

    def _rotate_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_ROTATE_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))


def read_identity(pid_file: Path) -> Identity | None:
    """The identity a pid file holds; None when the file is missing or damaged."""
    try:
        content = json.loads(pid_file.read_text())
        return Identity(pid=int(content["pid"]), started_at=float(content["started_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _reap(pid: int) -> None:
    # Only a child of this very process can be reaped here; others belong to init.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
