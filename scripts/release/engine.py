"""The few things that are asked of Docker and, through it, of a registry of images."""

import json
import subprocess
from typing import Any

from scripts.release.errors import ReleaseError

ASKING_TIMEOUT_S = 120
MOVING_TIMEOUT_S = 1_800
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def docker(*words: str, timeout_s: float = ASKING_TIMEOUT_S) -> str:
    """What `docker …` printed. Raises ReleaseError with the end of what it complained of."""
    try:
        done = subprocess.run(
            ["docker", *words], capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except FileNotFoundError:
        raise ReleaseError("there is no docker on this machine") from None
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"docker {' '.join(words[:3])}: no answer within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise ReleaseError(f"docker {' '.join(words[:3])}: {done.stderr.strip()[-500:]}")
    return done.stdout


def local(image: str) -> dict[str, Any]:
    """What the engine knows of an image that it has. Raises ReleaseError."""
    found: list[dict[str, Any]] = json.loads(docker("image", "inspect", image))
    return found[0]


def published(reference: str) -> dict[str, Any] | None:
    """The manifest or index that a registry has under a name, with its digest; None where it has none.

    Raises ReleaseError when the registry does not answer or lets nobody in, which is another thing.
    """
    try:
        told = docker("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", reference)
    except ReleaseError as error:
        if str(error).endswith(": not found"):
            return None
        raise
    manifest: dict[str, Any] = json.loads(told)
    return manifest
