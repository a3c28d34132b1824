"""Bringing a missing program with apt, without letting the package start a service of the system's own."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from florin.errors import StackError

POLICY = Path("/usr/sbin/policy-rc.d")
# 101: "forbidden by policy". Debian's packages ask this program before they start a service.
POLICY_TEXT = "#!/bin/sh\nexit 101\n"
APT_TIMEOUT_S = 900


def usable() -> bool:
    """Whether packages can be installed here without asking anybody."""
    return shutil.which("apt-get") is not None and (os.geteuid() == 0 or _may_sudo())


def install(package: str, *, service: str, say: Callable[[str], None]) -> None:
    """Installs one package; the service that comes with it is neither started now nor at the next boot."""
    say(f"installing {package} with apt-get")
    with _services_held():
        if not _known(package):
            _root("apt-get", "update", "-qq")
        done = _root("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise StackError(f"apt-get could not install {package}: {reason}")
    if shutil.which("systemctl"):
        _root("systemctl", "disable", service)


@contextlib.contextmanager
def _services_held() -> Iterator[None]:
    """While the block lasts, no package may start a service."""
    if POLICY.exists():
        # Somebody decided already (a container image usually forbids it): respected as it is.
        yield
        return
    _root("tee", str(POLICY), text=POLICY_TEXT)
    _root("chmod", "755", str(POLICY))
    try:
        yield
    finally:
        _root("rm", "-f", str(POLICY))


def _known(package: str) -> bool:
    shown = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False)
    return "Candidate:" in shown.stdout and "Candidate: (none)" not in shown.stdout


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def _root(*command: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    return subprocess.run(
        [*prefix, *command],
        input=text if text is not None else "",
        capture_output=True,
        text=True,
        check=False,
        timeout=APT_TIMEOUT_S,
        env={
            **os.environ,
            "DEBIAN_FRONTEND": "noninteractive",
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        },
    )
