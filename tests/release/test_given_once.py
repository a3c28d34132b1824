"""What publishing refuses before it writes anything; with a real registry: test_publishing.py."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .checkouts import VERSION, Checkout, releasable
from .registries import IMAGES

OURS, FOREIGN = "sha256:" + "a" * 64, "sha256:" + "b" * 64
# A docker that speaks for a registry: it answers whoever asks for a version, and notes what it should create.
DOCKER = """#!/bin/sh
for asked in "$@"; do :; done
case $3 in
  create) echo "$asked" >>{created} ;;
  inspect) {answer} ;;
esac
"""
Registry = Callable[[str], Path]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """One whose candidates were pushed."""
    root = tmp_path / "checkout"
    root.mkdir()
    made = releasable(root)
    pushed = {"version": VERSION, "revision": "0" * 40, "architecture": "amd64"}
    made.write(
        "build/release/amd64/candidates.json", json.dumps({**pushed, "digests": dict.fromkeys(IMAGES, OURS)})
    )
    return made


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Makes docker answer in shell; returns the file that lists what was created."""

    def answering(answer: str) -> Path:
        created = tmp_path / "created"
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER.format(answer=answer, created=created))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        return created

    return answering


def _refusal(checkout: Checkout) -> str:
    return checkout.refusal("publish", VERSION, "--registry", "example.test/x", "--architectures", "amd64")


def test_a_version_of_other_bytes_is_not_given_again(checkout: Checkout, registry: Registry) -> None:
    index = json.dumps({"digest": FOREIGN, "manifests": [{"digest": FOREIGN}]})
    taken = f"case $asked in */tools:*) echo '{index}' ;; *) echo \"$asked: not found\" >&2; exit 1 ;; esac"
    created = registry(taken)
    assert "released with other bytes (tools): take the next version" in _refusal(checkout)
    assert not created.exists()


@pytest.mark.parametrize("complaint", ["unauthorized", "connection refused", "500 Internal Server Error"])
def test_a_registry_that_says_no_is_not_an_empty_one(
    checkout: Checkout, registry: Registry, complaint: str
) -> None:
    created = registry(f'echo "ERROR: $asked: {complaint}" >&2; exit 1')
    assert complaint in _refusal(checkout)
    assert not created.exists()


def test_an_architecture_that_was_not_pushed_is_missed(checkout: Checkout, registry: Registry) -> None:
    created = registry("exit 1")
    said = checkout.refusal("publish", VERSION, "--registry", "example.test/x")
    assert "there are no candidates of arm64" in said
    assert not created.exists()
