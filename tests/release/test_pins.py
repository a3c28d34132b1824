"""Public images are found wherever they are named, and none is released without a digest."""

import re
from pathlib import Path

import pytest
import yaml

from .checkouts import DIGEST, ROOT, Checkout, releasable

# A docker that knows two images, and tells of others what a registry does.
DOCKER = """#!/bin/sh
for asked in "$@"; do :; done
case $asked in
  {prefix}postgres:17) echo '{{"digest": "sha256:{a}"}}' ;;
  {prefix_owned}valkey/valkey:8) echo '{{"digest": "sha256:{b}"}}' ;;
  *) echo "ERROR: $asked: {error}" >&2; exit 1 ;;
esac
"""
A, B = "a" * 64, "b" * 64
COMPOSE = """services:
  postgres:
    image: ${POSTGRES_IMAGE:-postgres:17}
  valkey:
    image: valkey/valkey:8
  account:
    image: florin/account:${FLORIN_VERSION:-dev}
"""
MANIFEST = """spec:
  containers:
    - image: postgres:17
    - name: account
      image: florin/service
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    root.mkdir()
    made = releasable(root)
    made.write("deploy/compose.yml", COMPOSE)
    made.write("deploy/k8s/base/servers.yaml", MANIFEST)
    made.write("Dockerfile", "ARG PYTHON_IMAGE=postgres:17\nFROM ${PYTHON_IMAGE}\n")
    made.write("Makefile", "TRIVY_IMAGE ?= valkey/valkey:8\n")
    made.commit()
    return made


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for docker, first on the path; returns the program's file."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER.format(prefix="", prefix_owned="", a=A, b=B, error="not found"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


def test_each_public_image_is_given_its_digest_and_ours_none(checkout: Checkout, docker: Path) -> None:
    assert checkout.step("pin").returncode == 0
    compose = (checkout.root / "deploy/compose.yml").read_text()
    assert f"image: ${{POSTGRES_IMAGE:-postgres:17@sha256:{A}}}\n" in compose
    assert f"image: valkey/valkey:8@sha256:{B}\n" in compose
    assert "image: florin/account:${FLORIN_VERSION:-dev}\n" in compose
    assert (
        f"    - image: postgres:17@sha256:{A}\n"
        in (checkout.root / "deploy/k8s/base/servers.yaml").read_text()
    )
    assert f"PYTHON_IMAGE=postgres:17@sha256:{A}\n" in (checkout.root / "Dockerfile").read_text()
    assert f"TRIVY_IMAGE ?= valkey/valkey:8@sha256:{B}\n" in (checkout.root / "Makefile").read_text()
    assert checkout.step("pin", "--check").returncode == 0


def test_a_digest_that_moved_on_is_followed(checkout: Checkout, docker: Path) -> None:
    assert checkout.step("pin").returncode == 0
    docker.write_text(docker.read_text().replace(A, "c" * 64))
    assert checkout.step("pin").returncode == 0
    compose = (checkout.root / "deploy/compose.yml").read_text()
    assert f"postgres:17@sha256:{'c' * 64}}}\n" in compose
    assert A not in compose


def test_a_mirror_is_asked_and_not_named(checkout: Checkout, docker: Path) -> None:
    docker.write_text(
        DOCKER.format(
            prefix="mirror.example/hub/library/",
            prefix_owned="mirror.example/hub/",
            a=A,
            b=B,
            error="not found",
        )
    )
    assert checkout.step("pin", "--mirror", "mirror.example/hub").returncode == 0
    assert "mirror.example" not in (checkout.root / "deploy/compose.yml").read_text()


@pytest.mark.parametrize("error", ["not found", "unauthorized", "connection refused"])
def test_one_image_that_cannot_be_asked_for_changes_nothing(
    checkout: Checkout, docker: Path, error: str
) -> None:
    checkout.write("Makefile", "TRIVY_IMAGE ?= aquasec/trivy:0.65.0\n")
    checkout.commit()
    docker.write_text(DOCKER.format(prefix="", prefix_owned="", a=A, b=B, error=error))
    assert "aquasec/trivy:0.65.0" in checkout.refusal("pin")
    assert checkout.git("status", "--porcelain") == ""


def test_an_image_without_a_digest_is_not_released(checkout: Checkout) -> None:
    said = checkout.refusal("pin", "--check")
    assert said.count("has no digest") == 5
    assert "deploy/k8s/base/servers.yaml: postgres:17" in said
    assert "5 images are named without a digest" in checkout.refusal("check", "v1.2.3")


@pytest.mark.parametrize("name", ["postgres", f"postgres@{DIGEST}", "Postgres:17", "${POSTGRES_IMAGE}"])
def test_an_image_without_a_version_is_not_passed_over(checkout: Checkout, name: str) -> None:
    checkout.write("deploy/compose.yml", f"services:\n  postgres:\n    image: {name}\n")
    assert "without a version" in checkout.refusal("pin", "--check")


def test_every_image_that_this_repository_names_is_found() -> None:
    """What a reader of YAML finds in the files that are deployed, the pins find too."""
    found = Checkout(ROOT).step("pin", "--check").stderr
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())
    images = {service["image"] for service in compose["services"].values()}
    for path in (ROOT / "deploy" / "k8s").rglob("*.yaml"):
        images |= set(re.findall(r"\bimage(?:Name)?: *[\"']?([^\s\"'}]+)", path.read_text()))
    public = {re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", one) for one in images if not one.startswith("florin/")}
    assert len(public) >= 8
    for one in public:
        assert "@sha256:" in one or f": {one} has no digest" in found, one
