"""A private Postgres server from the embedded wheel's programs: TCP on the loopback, passwords by SCRAM."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from florin.backing import postgres_place
from florin.errors import StackError
from florin.ports import HOST, require_free
from florin.processes import Daemon

SUPERUSER = "postgres"
INITDB_TIMEOUT_S = 120
PROBE_TIMEOUT_S = 10
# For a developer's machine of two cores. Durability stays on: what is tested is what runs.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_lock_waits": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """One server with its data under `folder`; kept between runs until `wipe`."""

    name = "postgres"

    def __init__(self, *, folder: Path, run_dir: Path, port: int, password: str) -> None:
        self.port = port
        self._folder = folder
        self._password = password
        self.daemon = Daemon(
            self.name, pid_file=run_dir / "pids" / "postgres.pid", log_file=run_dir / "logs" / "postgres.log"
        )

    @property
    def url(self) -> str:
        """The superuser's address."""
        return f"postgresql://{SUPERUSER}:{self._password}@{HOST}:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        return self.daemon.pid

    def running(self) -> bool:
        return self.daemon.process() is not None

    def ready(self) -> bool:
        """Whether the server accepts connections now."""
        if not self.running():
            return False
        programs = postgres_place.programs(postgres_place.os_user())
        return self._accepts(programs)

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Starts the server, making its data folder first if need be; returns when it accepts connections."""
        if self.running():
            return
        require_free(self.port, self.name)
        user = postgres_place.os_user()
        programs = postgres_place.programs(user)
        data = postgres_place.data_folder(self._folder, user)
        if not (data / "PG_VERSION").exists():
            self._initialise(programs, data)
        settings = {**SETTINGS, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.daemon.start(
            [programs / "postgres", "-D", data, *options], env=_environment(), cwd=data, user=user
        )
        try:
            self.daemon.wait_until(lambda: self._accepts(programs), timeout_s=timeout_s)
        except StackError:
            self.daemon.kill()
            raise

    def stop(self) -> None:
        """A fast, clean shutdown: sessions are ended, everything is on disk."""
        self.daemon.stop(by=signal.SIGINT, timeout_s=60.0)

    def kill(self) -> None:
        """SIGKILL to the server and every backend."""
        self.daemon.kill()

    def wipe(self) -> None:
        """Removes all data of a stopped server."""
        postgres_place.forget_data(self._folder)

    def _accepts(self, programs: Path) -> bool:
        command = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port), "-d", "postgres"]
        return (
            subprocess.run(command, env=_environment(), timeout=PROBE_TIMEOUT_S, check=False).returncode == 0
        )

    def _initialise(self, programs: Path, data: Path) -> None:
        user = postgres_place.os_user()
        with tempfile.NamedTemporaryFile("w", prefix="florin-", suffix=".pw") as password_file:
            password_file.write(self._password)
            password_file.flush()
            if user:
                os.chown(password_file.name, user.uid, user.gid)
            command = [
                *(str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER),
                f"--pwfile={password_file.name}",
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ]
            done = subprocess.run(
                command,
                env=_environment(),
                cwd=data,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=INITDB_TIMEOUT_S,
            )
        if done.returncode != 0:
            # A half-made folder would be taken for a good one at the next start.
            postgres_place.forget_data(self._folder)
            raise StackError(f"initdb could not make the database folder {data}: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    # PGHOST, PGPORT and their like belong to the caller's other databases.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
