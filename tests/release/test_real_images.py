"""The images of this checkout, built, released and pulled back: minutes, the first time."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .checkouts import ROOT, Checkout, releasable
from .registries import IMAGES, docker, registry, remove_images, require_engine

pytestmark = pytest.mark.images
# Such as no release bears.
VERSION, AGAIN = "0.0.0-real.1", "0.0.0-again.1"
_MAKE_TIMEOUT_S = 1_800


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout at whose commit this one's images were built, with their bills of materials."""
    made = releasable(tmp_path_factory.mktemp("checkout"))
    base = _base()
    _make("images", f"REVISION={made.git('rev-parse', 'HEAD')}", PYTHON_IMAGE=base)
    _make("sbom", PYTHON_IMAGE=base)
    shutil.copytree(ROOT / "build" / "sbom", made.root / "build" / "sbom")
    yield made
    remove_images(VERSION)


async def test_what_is_pulled_by_digest_is_what_was_built(checkout: Checkout, tmp_path: Path) -> None:
    built = {name: _told(f"florin/{name}:{VERSION}") for name in IMAGES}
    async with registry(tmp_path) as host:
        assert checkout.step("push", VERSION, "--registry", host).returncode == 0
        architecture = docker("image", "inspect", "--format", "{{.Architecture}}", f"florin/tools:{VERSION}")
        words = ("publish", VERSION, "--registry", host, "--architectures", architecture)
        published = checkout.step(*words).stdout.split()
        remove_images(VERSION)
        assert len(published) == len(IMAGES)
        for name, reference in zip(IMAGES, published, strict=True):
            by_digest = reference.replace(f":{VERSION}@", "@")
            docker("pull", "--quiet", by_digest)
            assert _told(by_digest) == built[name]
            docker("tag", by_digest, f"florin/{name}:{VERSION}")
        assert "Usage" in docker("run", "--rm", "--network", "none", by_digest, "--help")
    bill = json.loads(
        (checkout.root / "build" / "release" / "assets" / f"account-{architecture}.cdx.json").read_text()
    )
    assert {"florin-account-service", "libc6"} <= {one["name"] for one in bill["components"]}


def test_an_image_that_is_too_large_is_refused(checkout: Checkout) -> None:
    assert checkout.refusal("sizes", VERSION, "--limit-mb", "1").count(" MB, not 1\n") == len(IMAGES)
    assert checkout.step("sizes", VERSION, "--limit-mb", "100000").returncode == 0


def test_the_same_commit_gives_the_same_image(tmp_path: Path) -> None:
    """Built twice from nothing, from checkouts of other ages: one identity, a hash of all that it is."""
    arguments = {"SERVICE": "identity", "VERSION": AGAIN, "PYTHON_IMAGE": _base(), "SOURCE_DATE_EPOCH": "0"}
    words = [
        "--no-cache",
        "--network=host",
        *(f"--build-arg={name}={one}" for name, one in arguments.items()),
    ]
    built = []
    for age in (1, 2):
        folder = tmp_path / str(age)
        _copy_of_checkout(folder)
        for path in folder.rglob("*"):
            os.utime(path, (age * 1e9, age * 1e9), follow_symlinks=False)
        name = f"florin/identity:{AGAIN}-{age}"
        docker("build", "--quiet", *words, f"--tag={name}", str(folder))
        built.append(json.loads(docker("image", "inspect", name))[0])
    remove_images(AGAIN)
    if not built[0]["Created"].startswith("1970"):
        pytest.skip("this engine's builder is older than BuildKit 0.11: it writes the time of the build")
    assert built[0]["Id"] == built[1]["Id"]


def _base() -> str:
    """The public image that all are built on, without its digest, so that another can stand in; or a skip."""
    require_engine()
    found = re.search(r"^ARG PYTHON_IMAGE=([^\s@]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    for words in (("image", "inspect"), ("pull", "--quiet")):
        if (
            subprocess.run(
                ["docker", *words, found[1]], capture_output=True, check=False, timeout=600
            ).returncode
            == 0
        ):
            return found[1]
    pytest.skip(f"{found[1]} can be had from no registry")


def _make(*words: str, **variables: str) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", f"VERSION={VERSION}", *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=_MAKE_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-2_000:]


def _told(image: str) -> tuple[Any, Any]:
    """What an image runs, and the layers of which it is."""
    found = json.loads(docker("image", "inspect", image))[0]
    return found["Config"], found["RootFS"]["Layers"]


def _copy_of_checkout(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
