"""A Docker engine and the public images, by what this machine has; or the reason why there is none."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.release import pins

ROOT = Path(__file__).resolve().parents[2]
# A program that brings an engine and stands in for images where no registry of images can be reached.
STAND_IN_VARIABLE = "FLORIN_STANDIN_IMAGES"
STAND_IN = ROOT.parent / "shared" / "tools" / "standin-images"
# The public images by the variables that put others in their place.
IMAGES = {
    "PYTHON_IMAGE": "python:3.13-slim",
    "POSTGRES_IMAGE": "postgres:17",
    "RABBITMQ_IMAGE": "rabbitmq:4-management",
    "VALKEY_IMAGE": "valkey/valkey:8",
}
# What the profile `observability` runs besides; nobody needs them to bring the rest up.
OBSERVING = ("otel-collector", "tempo", "prometheus", "alertmanager", "grafana")
_BRING_TIMEOUT_S = 1_500
_PULL_TIMEOUT_S = 600


class NoEngine(Exception):
    """Why containers cannot be run here."""


@dataclass(frozen=True)
class Brought:
    """How an engine and images were had, and what compose must be told of it."""

    how: str
    settings: Mapping[str, str] = field(default_factory=dict)


def bring() -> Brought:
    """Sees to an engine with compose and to every public image. Raises NoEngine."""
    if not _answers("docker", "info") or not _answers("docker", "compose", "version"):
        return _stand_in("no Docker engine with compose answers")
    digests = {one.tagged: one.digest for one in pins.named(ROOT)}
    for image in IMAGES.values():
        # As the files name it: behind a digest nothing can stand in.
        if not all_here([image + (digests[image] or "")]):
            return _stand_in(f"{image} can be had from no registry")
    return Brought("the engine that runs here")


def all_here(images: Sequence[str]) -> bool:
    """Whether each is here or can be pulled."""
    return all(
        _answers("docker", "image", "inspect", image)
        or _answers("docker", "pull", "-q", image, timeout_s=_PULL_TIMEOUT_S)
        for image in images
    )


def _stand_in(why: str) -> Brought:
    program = Path(os.environ.get(STAND_IN_VARIABLE, STAND_IN))
    if not program.is_file():
        raise NoEngine(f"{why}, and {STAND_IN_VARIABLE} names nothing that could stand in")
    if os.geteuid() != 0:
        raise NoEngine(f"{why}, and only root could bring one")
    names = [image.split(":")[0].split("/")[-1] for image in IMAGES.values()]
    done = subprocess.run([program, *names], timeout=_BRING_TIMEOUT_S, capture_output=True, check=False)
    if done.returncode != 0 or not _answers("docker", "compose", "version"):
        raise NoEngine(f"{why}, and what stands in for it failed: {done.stderr.decode()[-300:]}")
    return Brought("an engine and images that stand in for the public ones", IMAGES)


def _answers(*command: str, timeout_s: float = 60) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        return subprocess.run(command, timeout=timeout_s, capture_output=True, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
