"""A copy of the working tree, in which safeguards are taken out while the tree itself stays as it is."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from testkit.backing import BROKER_VARIABLE, DATABASE_VARIABLE, MANAGEMENT_VARIABLE

from .mutants import ROOT, Mutant

PACKAGES = (
    *("contracts", "messaging", "service_kit", "testkit", "florin"),
    *("transaction_service", "account_service", "fraud_service", "notification_service"),
    "identity_service",
)
_WHERE = "import importlib; print(*(importlib.import_module(n).__file__ for n in {names!r}), sep='\\n')"
# Started as services are: by a child of the test's process, with its environment.
_ASK_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"


@dataclass(frozen=True, slots=True)
class CopiedTree:
    """The copy, and the environment in which programs run its code and no other."""

    root: Path
    environment: dict[str, str]

    @contextmanager
    def without(self, mutant: Mutant) -> Iterator[None]:
        """Takes the mutant's safeguard out of the copy until the end of the block. Raises `Stale`."""
        texts = mutant.applied(self.root)
        kept = {path: path.read_text() for path in texts}
        try:
            for path, text in texts.items():
                _write(path, text)
            yield
        finally:
            for path, text in kept.items():
                _write(path, text)

    def prove_that_it_runs(self) -> None:
        """Raises AssertionError unless a program, and a program started by that one, import the copy."""
        inner = _WHERE.format(names=PACKAGES)
        for code in (inner, _ASK_A_CHILD.format(inner=inner)):
            said = subprocess.run(
                [sys.executable, "-c", code],
                cwd=self.root,
                env=self.environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            elsewhere = [file for file in said.split() if not Path(file).is_relative_to(self.root)]
            assert said, "nothing was imported"
            assert not elsewhere, f"not the copy's code would run: {elsewhere}"


@contextmanager
def copied_tree(*, database_url: str, broker_url: str, management_url: str) -> Iterator[CopiedTree]:
    """A copy of all files that git knows or would take, whose tests use the servers given."""
    with tempfile.TemporaryDirectory(prefix="florin-mutation-") as folder:
        root = Path(folder).resolve()
        for name in _files():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        sources = [str(path) for path in sorted(root.glob("*/*/src"))]
        environment = {
            **os.environ,
            # Before the workspace's own packages, which are installed as links to their folders.
            "PYTHONPATH": os.pathsep.join(sources),
            DATABASE_VARIABLE: database_url,
            BROKER_VARIABLE: broker_url,
            MANAGEMENT_VARIABLE: management_url,
        }
        yield CopiedTree(root, environment)


def _files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # One that was deleted and not yet committed is listed, and is not there.
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    # Two texts of one length within one second look alike to the cache of compiled code.
    Path(cache_from_source(str(path))).unlink(missing_ok=True)
