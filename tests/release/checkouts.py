"""Small checkouts that can be released, and the steps of a release run in them as make runs them."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.2.3"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-21

### Added

- Holds that end by themselves.

## [1.2.2] - 2026-10-01

- The first.
"""
DIGEST = "sha256:" + "0123456789abcdef" * 4
_STEP_TIMEOUT_S = 600


@dataclass(frozen=True)
class Checkout:
    """A git repository with one commit; steps are run at its root."""

    root: Path

    def step(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python3 -m scripts.release …`, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "scripts.release", *words],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=_STEP_TIMEOUT_S,
            check=False,
        )

    def refusal(self, *words: str) -> str:
        """Why a step is refused; it must be."""
        done = self.step(*words)
        assert done.returncode == 1, done
        return done.stderr

    def git(self, *words: str) -> str:
        author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        done = subprocess.run(
            ["git", *author, *words], cwd=self.root, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self) -> str:
        """Commit everything; the commit's number."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")
        return self.git("rev-parse", "HEAD")


def releasable(root: Path) -> Checkout:
    """A checkout that can be released as v1.2.3."""
    checkout = Checkout(root)
    checkout.git("init", "--quiet")
    for path in ("pyproject.toml", "libs/one/pyproject.toml", "services/two/pyproject.toml"):
        checkout.write(path, f'[project]\nname = "x"\nversion = "{VERSION}"\n')
    checkout.write("CHANGELOG.md", CHANGELOG)
    checkout.write(".gitignore", "build/\n")
    checkout.write("Dockerfile", f"ARG PYTHON_IMAGE=python:3.13-slim@{DIGEST}\nFROM ${{PYTHON_IMAGE}}\n")
    checkout.commit()
    return checkout
