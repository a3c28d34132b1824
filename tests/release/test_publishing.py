"""A release to a registry as it is done for real, with small images: `make release-test`."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .checkouts import Checkout, releasable
from .registries import IMAGES, docker, make_small_images, manifest, registry, remove_images, require_engine

pytestmark = pytest.mark.images
# One that no image of anybody bears.
VERSION = "0.0.0-small.1"
BOTH = ("amd64", "arm64")


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[str]:
    require_engine()
    folder = tmp_path / "registry"
    folder.mkdir()
    async with registry(folder) as found:
        yield found
        remove_images(VERSION)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    root.mkdir()
    return releasable(root)


def _bills(checkout: Checkout) -> None:
    for name in IMAGES:
        component = {"name": f"florin/{name}", "version": VERSION}
        checkout.write(f"build/sbom/{name}.json", json.dumps({"metadata": {"component": component}}))


def _pushed(checkout: Checkout, host: str, architecture: str, *, told: str = "") -> None:
    """One machine's part: its images and bills, pushed as candidates."""
    make_small_images(VERSION, checkout.git("rev-parse", "HEAD"), architecture, told=told)
    _bills(checkout)
    done = checkout.step("push", VERSION, "--registry", host)
    assert done.returncode == 0, done.stderr


def _publish(checkout: Checkout, host: str, *architectures: str) -> list[str]:
    done = checkout.step("publish", VERSION, "--registry", host, "--architectures", *architectures)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_version_is_an_index_of_what_each_architecture_pushed(checkout: Checkout, host: str) -> None:
    for architecture in BOTH:
        _pushed(checkout, host, architecture)
    told = _publish(checkout, host, *BOTH)
    subjects = json.loads(checkout.step("subjects").stdout)
    for name, line in zip(IMAGES, told, strict=True):
        index = manifest(host, name, VERSION)
        assert index
        assert line == f"{host}/{name}:{VERSION}@{index['digest']}"
        assert subjects[name]["version"] == index["digest"]
        candidates = {one: manifest(host, name, f"candidate-{_head(checkout)}-{one}") for one in BOTH}
        members = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
        assert members == {one: (found or {})["digest"] for one, found in candidates.items()}
        assert members == {one: subjects[name][one] for one in BOTH}


def test_what_is_attached_to_a_release_is_whole(checkout: Checkout, host: str) -> None:
    for architecture in BOTH:
        _pushed(checkout, host, architecture)
    told = _publish(checkout, host, *BOTH)
    assets = checkout.root / "build" / "release" / "assets"
    bills = {f"{name}-{architecture}.cdx.json" for name in IMAGES for architecture in BOTH}
    assert {path.name for path in assets.iterdir()} == {*bills, "digests.txt", "SHA256SUMS"}
    assert (assets / "digests.txt").read_text().split() == told
    for line in (assets / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((assets / name).read_bytes()).hexdigest() == digest
    assert len((assets / "SHA256SUMS").read_text().splitlines()) == len(bills) + 1


def test_nothing_bears_a_version_before_all_architectures_are_there(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64")
    said = checkout.refusal("publish", VERSION, "--registry", host)
    assert "there are no candidates of arm64" in said
    assert [name for name in IMAGES if manifest(host, name, VERSION)] == []


def test_a_version_is_published_once(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64")
    _publish(checkout, host, "amd64")
    again = ("publish", VERSION, "--registry", host, "--architectures", "amd64")
    assert "released already" in checkout.refusal(*again)


def test_a_published_version_never_changes(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64")
    _publish(checkout, host, "amd64")
    before = [manifest(host, name, VERSION) for name in IMAGES]
    _pushed(checkout, host, "amd64", told="other bytes")
    said = checkout.refusal("publish", VERSION, "--registry", host, "--architectures", "amd64")
    assert "take the next version" in said
    assert [manifest(host, name, VERSION) for name in IMAGES] == before


def test_one_name_that_is_taken_keeps_all_others_free(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64", told="somebody else's")
    docker("push", "--quiet", _named(f"{host}/tools:{VERSION}"))
    _pushed(checkout, host, "amd64")
    said = checkout.refusal("publish", VERSION, "--registry", host, "--architectures", "amd64")
    assert "(tools)" in said
    assert [name for name in IMAGES if manifest(host, name, VERSION)] == ["tools"]


def test_a_release_that_broke_off_is_finished(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64")
    candidate = f"{host}/account:candidate-{_head(checkout)}-amd64"
    docker("buildx", "imagetools", "create", "--tag", f"{host}/account:{VERSION}", candidate)
    first = manifest(host, "account", VERSION)
    assert len(_publish(checkout, host, "amd64")) == len(IMAGES)
    assert manifest(host, "account", VERSION) == first


def test_candidates_of_another_commit_are_not_published(checkout: Checkout, host: str) -> None:
    _pushed(checkout, host, "amd64")
    checkout.write("later.txt", "")
    checkout.commit()
    _pushed(checkout, host, "arm64")
    said = checkout.refusal("publish", VERSION, "--registry", host)
    assert "of one commit" in said


def test_an_image_of_another_commit_is_not_pushed(checkout: Checkout, host: str) -> None:
    make_small_images(VERSION, "0" * 40, "amd64")
    _bills(checkout)
    assert "built of another commit" in checkout.refusal("push", VERSION, "--registry", host)
    assert manifest(host, IMAGES[0], f"candidate-{_head(checkout)}-amd64") is None


def test_an_image_without_its_bill_of_materials_is_not_pushed(checkout: Checkout, host: str) -> None:
    make_small_images(VERSION, checkout.git("rev-parse", "HEAD"), "amd64")
    _bills(checkout)
    (checkout.root / "build" / "sbom" / "tools.json").unlink()
    assert "no bill of materials of florin/tools" in checkout.refusal("push", VERSION, "--registry", host)
    assert manifest(host, IMAGES[0], f"candidate-{_head(checkout)}-amd64") is None


async def test_a_registry_that_does_not_answer_is_not_an_empty_one(
    checkout: Checkout, tmp_path: Path
) -> None:
    require_engine()
    folder = tmp_path / "gone"
    folder.mkdir()
    async with registry(folder) as gone:
        _pushed(checkout, gone, "amd64")
    said = checkout.refusal("publish", VERSION, "--registry", gone, "--architectures", "amd64")
    assert "connection refused" in said
    remove_images(VERSION)


def test_pins_are_the_digests_that_a_registry_has(checkout: Checkout, host: str) -> None:
    text = f"FROM scratch\nWORKDIR /a\nLABEL org.opencontainers.image.version={VERSION}\n"
    docker("build", "--quiet", f"--tag={host}/library/postgres:17", "-", text=text)
    docker("push", "--quiet", f"{host}/library/postgres:17")
    checkout.write("Dockerfile", "ARG PYTHON_IMAGE=postgres:17\nFROM ${PYTHON_IMAGE}\n")
    assert checkout.step("pin", "--mirror", host).returncode == 0
    there = manifest(host, "library/postgres", "17")
    assert there
    assert f"PYTHON_IMAGE=postgres:17@{there['digest']}\n" in (checkout.root / "Dockerfile").read_text()


def _head(checkout: Checkout) -> str:
    return checkout.git("rev-parse", "HEAD")[:12]


def _named(image: str) -> str:
    """Another name for this machine's image of that name."""
    docker("tag", f"florin/{image.rsplit('/', 1)[1]}", image)
    return image
