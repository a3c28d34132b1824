"""The service processes of one stack: migrated, started, watched, stopped, killed, each by its name."""

import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from florin.environment import Surroundings
from florin.errors import StackError
from florin.ports import HOST, require_free
from florin.processes import Daemon
from florin.services import PROCESSES, module_of, runnable

READY_TIMEOUT_S = 60.0
MIGRATE_TIMEOUT_S = 300
STOP_TIMEOUT_S = 40.0
PROBE_TIMEOUT_S = 3.0


class Services:
    """The processes of the services named, all in the same surroundings."""

    def __init__(self, surroundings: Surroundings, *, names: Sequence[str] = PROCESSES) -> None:
        self.surroundings = surroundings
        self.names = tuple(names)
        run_dir = surroundings.run_dir
        self.daemons = {
            name: Daemon(
                name,
                pid_file=run_dir / "pids" / f"{name}.pid",
                log_file=run_dir / "logs" / f"{name}.log",
            )
            for name in self.names
        }

    def migrate(self) -> None:
        """Brings every schema to its head, all at once, by the services' own command; raises StackError."""
        with ThreadPoolExecutor(max_workers=len(self.names)) as pool:
            for _ in pool.map(self._migrate, self.names):
                pass

    def start_all(self) -> None:
        """Starts whatever does not run and waits for all; when one fails, stops what this call started."""
        starting = [name for name in self.names if self.daemons[name].process() is None]
        try:
            for name in starting:
                self._launch(name)
            for name in self.names:
                self._await_ready(name)
        except BaseException:
            self.stop_all(starting)
            raise

    def start(self, name: str) -> None:
        """Starts one service and returns when it is ready."""
        if self.daemons[name].process() is None:
            self._launch(name)
        self._await_ready(name)

    def stop(self, name: str) -> None:
        """Lets one service finish what it has in hand, then end."""
        self.daemons[name].stop(timeout_s=STOP_TIMEOUT_S)

    def stop_all(self, names: Iterable[str] | None = None) -> None:
        """Stops services, all at once."""
        chosen = list(self.names if names is None else names)
        if chosen:
            with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
                list(pool.map(self.stop, chosen))

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash would."""
        self.daemons[name].kill()

    def running(self, name: str) -> bool:
        return self.daemons[name].process() is not None

    def ready(self, name: str) -> bool:
        """Whether the service says that it may be given work."""
        return self.running(name) and self._answers_ready(name)

    def check_ports(self, name: str) -> None:
        """Raises StackError when another program sits on one of the service's ports."""
        require_free(self.surroundings.ports.api(name), f"{name}, API")
        require_free(self.surroundings.ports.internal(name), f"{name}, internal")

    def _launch(self, name: str) -> None:
        self.check_ports(name)
        command = [sys.executable, "-m", module_of(name), "all"]
        # In the run folder, so that no .env file or module of the caller's folder can slip in.
        run_dir = self.surroundings.run_dir
        self.daemons[name].start(command, env=self.surroundings.environment_of(name), cwd=run_dir)

    def _await_ready(self, name: str) -> None:
        self.daemons[name].wait_until(lambda: self._answers_ready(name), timeout_s=READY_TIMEOUT_S)

    def _answers_ready(self, name: str) -> bool:
        port = self.surroundings.ports.internal(name)
        connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_TIMEOUT_S)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def _migrate(self, name: str) -> None:
        if not runnable(name):
            raise StackError(f"{module_of(name)} cannot be run: it has no __main__")
        done = subprocess.run(
            [sys.executable, "-m", module_of(name), "migrate"],
            env=self.surroundings.environment_of(name),
            cwd=self.surroundings.run_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=MIGRATE_TIMEOUT_S,
        )
        if done.returncode != 0:
            end = "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-12:])
            raise StackError(f"migrating {name} failed:\n{end}")
