"""A Docker engine and the public images, by what this machine has; or the reason why there is none."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A program that brings an engine and stands in for images where no registry of images can be reached.
STAND_IN_VARIABLE = "FLORIN_STANDIN_IMAGES"
STAND_IN = ROOT.parent / "shared" / "tools" / "standin-images"
IMAGES = ("python:3.13-slim", "postgres:17", "rabbitmq:4-management", "valkey/valkey:8")
# What the profile `observability` runs besides; nobody needs them to bring the rest up.
OBSERVING = ("otel-collector", "tempo", "prometheus", "alertmanager", "grafana")
_BRING_TIMEOUT_S = 1_500
_PULL_TIMEOUT_S = 600


class NoEngine(Exception):
    """Why containers cannot be run here."""


def bring() -> str:
    """Sees to an engine with compose and to every public image; tells how. Raises NoEngine."""
    if not _answers("docker", "info") or not _answers("docker", "compose", "version"):
        return _stand_in("no Docker engine with compose answers")
    missing = [image for image in IMAGES if not _answers("docker", "image", "inspect", image)]
    for image in missing:
        if not _answers("docker", "pull", "-q", image, timeout_s=_PULL_TIMEOUT_S):
            return _stand_in(f"{image} can be had from no registry")
    return "the engine that runs here"


def all_here(images: Sequence[str]) -> bool:
    """Whether each is here or can be pulled."""
    return all(
        _answers("docker", "image", "inspect", image)
        or _answers("docker", "pull", "-q", image, timeout_s=_PULL_TIMEOUT_S)
        for image in images
    )


def _stand_in(why: str) -> str:
    program = Path(os.environ.get(STAND_IN_VARIABLE, STAND_IN))
    if not program.is_file():
        raise NoEngine(f"{why}, and {STAND_IN_VARIABLE} names nothing that could stand in")
    if os.geteuid() != 0:
        raise NoEngine(f"{why}, and only root could bring one")
    names = [image.split(":")[0].split("/")[-1] for image in IMAGES]
    done = subprocess.run([program, *names], timeout=_BRING_TIMEOUT_S, capture_output=True, check=False)
    if done.returncode != 0 or not _answers("docker", "compose", "version"):
        raise NoEngine(f"{why}, and what stands in for it failed: {done.stderr.decode()[-300:]}")
    return "an engine and images that stand in for the public ones"


def _answers(*command: str, timeout_s: float = 60) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        return subprocess.run(command, timeout=timeout_s, capture_output=True, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
