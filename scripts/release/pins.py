"""Public images are named by version and digest, so that all who build and run a release have the same ones.

A tag can be moved to other bytes, a digest cannot. What stands in the files is `name:tag@sha256:…`: the tag
says to a person what it is and to a bot what may follow it, the digest alone counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.release.engine import published
from scripts.release.errors import ReleaseError

FILES = ("Dockerfile", "Makefile", "deploy/compose.yml", "deploy/k8s/**/*.yaml")
# `image: name`, `image: ${X_IMAGE:-name}`, `ARG X_IMAGE=name`, `X_IMAGE ?= name`
_SITE = re.compile(
    r"^(?P<before> *(?:- )?image: *(?:\$\{\w+:-)?|ARG \w+_IMAGE=|\w+_IMAGE \?= )(?P<name>[^\s}]+)",
    re.MULTILINE,
)
_REFERENCE = re.compile(
    r"(?P<tagged>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:\w[\w.-]*)(?P<digest>@sha256:[0-9a-f]{64})?"
)
# Built here, and named by the version that is released.
_OURS = "florin/"


@dataclass(frozen=True)
class Named:
    """An image as a file names it."""

    path: Path
    tagged: str
    digest: str | None


def named(root: Path) -> Iterator[Named]:
    """Every public image that a file under `root` names. Raises ReleaseError for a name without a version."""
    for path in sorted(path for pattern in FILES for path in root.glob(pattern)):
        for site in _SITE.finditer(path.read_text()):
            if site["name"].startswith(_OURS):
                continue
            reference = _REFERENCE.fullmatch(site["name"])
            if reference is None:
                raise ReleaseError(
                    f"{path.relative_to(root)} names an image without a version: {site['name']}"
                )
            yield Named(path, reference["tagged"], reference["digest"])


def unpinned(root: Path) -> list[str]:
    """What has no digest, as `file: name`."""
    return [f"{one.path.relative_to(root)}: {one.tagged}" for one in named(root) if one.digest is None]


def pin(root: Path, *, mirror: str | None) -> dict[str, str]:
    """Ask for the digest that each name has today, and write it behind the name; what was written, by name.

    `mirror` (host and path) is asked instead of the registries that the names lead to. Nothing is written
    unless all are known. Raises ReleaseError.
    """
    found = list(named(root))
    digests = {tagged: _digest(tagged, mirror) for tagged in sorted({one.tagged for one in found})}
    for path in {one.path for one in found}:
        path.write_text(_SITE.sub(lambda site: _pinned(site, digests), path.read_text()))
    return digests


def _pinned(site: re.Match[str], digests: dict[str, str]) -> str:
    if site["name"].startswith(_OURS):
        return site[0]
    tagged = site["name"].partition("@")[0]
    return f"{site['before']}{tagged}@{digests[tagged]}"


def _digest(tagged: str, mirror: str | None) -> str:
    asked = tagged
    if mirror is not None:
        # What has no owner is Docker's own, and lies under `library` wherever Docker Hub is mirrored.
        asked = f"{mirror}/{tagged if '/' in tagged else f'library/{tagged}'}"
    manifest = published(asked)
    if manifest is None:
        raise ReleaseError(f"the registry has no {asked}")
    return str(manifest["digest"])
