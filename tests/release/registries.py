"""A registry of images for a test alone, and images small enough to be made in a moment."""

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from florin.backing import debian
from florin.errors import StackError
from testkit.waiting import eventually

IMAGES = ("transaction", "account", "fraud", "notification", "identity", "tools")
_PROGRAM = "docker-registry"
_CONFIGURATION = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_ENGINE_TIMEOUT_S = 1_800
_ANSWERS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 30.0


def docker(*words: str, text: str | None = None) -> str:
    """What `docker …` printed; AssertionError with what it complained of."""
    done = subprocess.run(
        ["docker", *words],
        input=text,
        # As make builds them: one architecture's image, and nothing beside it that tells the time.
        env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_ENGINE_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def require_engine() -> None:
    """Skips a test where no Docker engine with buildx answers."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker here")
    for words in (("info",), ("buildx", "version")):
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            pytest.skip(f"docker {words[0]} does not answer: {done.stderr.strip()[-200:]}")


@asynccontextmanager
async def registry(folder: Path) -> AsyncIterator[str]:
    """Host and path of a registry that keeps what it has in `folder`; skips a test where none can be had."""
    program = shutil.which(_PROGRAM) or _brought()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    configuration = folder / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(root=folder / "registry", port=port))
    process = _serve(program, configuration)
    try:
        await eventually(lambda: _answers(port), timeout_s=_ANSWERS_WITHIN_S)
        yield f"127.0.0.1:{port}/florin"
    finally:
        process.terminate()
        process.wait(timeout=_ENDS_WITHIN_S)


def manifest(registry: str, name: str, reference: str) -> dict[str, Any] | None:
    """What the registry itself tells of a tag or digest; None where it has none."""
    host, path = registry.split("/", 1)
    kinds = (
        "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
    )
    one = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(
        f"http://{host}/v2/{path}/{name}/manifests/{reference}", headers={"Accept": f"{kinds}, {one}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {**json.load(answer), "digest": answer.headers["Docker-Content-Digest"]}
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def make_small_images(version: str, revision: str, architecture: str, *, told: str = "") -> None:
    """Stand-ins for the six images, of one file that says `told`, with the labels of a release."""
    for name in IMAGES:
        labels = {"version": version, "revision": revision, "title": f"florin/{name}", "documentation": told}
        words = [f'org.opencontainers.image.{key}="{value}"' for key, value in labels.items()]
        docker(
            "build",
            "--quiet",
            f"--platform=linux/{architecture}",
            f"--tag=florin/{name}:{version}",
            "-",
            text=f"FROM scratch\nWORKDIR /{name}\nLABEL {' '.join(words)}\n",
        )


def remove_images(version: str) -> None:
    """Remove every local image that says it is of the version, under all its names."""
    label = f"label=org.opencontainers.image.version={version}"
    if found := docker("images", "--all", "--quiet", "--no-trunc", "--filter", label):
        docker("rmi", "--force", *sorted(set(found.split())))


def _serve(program: str, configuration: Path) -> subprocess.Popen[bytes]:
    with configuration.with_suffix(".log").open("w") as log:
        return subprocess.Popen([program, "serve", str(configuration)], stdout=log, stderr=log)


def _brought() -> str:
    if os.environ.get("CI") or debian.usable():
        try:
            debian.install(_PROGRAM, service=_PROGRAM, say=print)
        except StackError as error:
            pytest.skip(str(error))
    found = shutil.which(_PROGRAM)
    if found is None:
        pytest.skip(f"there is no {_PROGRAM} here (Debian's package of that name)")
    return found


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
