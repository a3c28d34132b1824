"""From images that were built and tested to a release: each architecture is pushed, then all get one name.

A machine of each architecture pushes what it tested under a name that promises nothing (`candidate-…`), and
notes the digests. One machine then gathers the notes of all, and gives each image its version: an index of
the architectures' manifests, by digest. So nothing bears the version before everything was tested
everywhere, and a version once given keeps its digest.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.release.engine import INDEXES, MOVING_TIMEOUT_S, docker, local, published
from scripts.release.errors import ReleaseError

_LABEL = "org.opencontainers.image."


@dataclass(frozen=True)
class Candidates:
    """What a machine pushed: of which version and commit, and the digest of each image's manifest."""

    version: str
    revision: str
    architecture: str
    digests: Mapping[str, str]


def oversized(images: Sequence[str], version: str, *, limit_mb: int) -> list[str]:
    """Lines about the images whose files take more than `limit_mb` (10^6 bytes); the sizes are printed."""
    sizes = {name: _size_mb(f"florin/{name}:{version}") for name in images}
    for name, size_mb in sizes.items():
        print(f"florin/{name}: {size_mb} MB")
    return [f"florin/{name} has {mb} MB, not {limit_mb}" for name, mb in sizes.items() if mb > limit_mb]


def push(images: Sequence[str], registry: str, *, version: str, revision: str, build: Path) -> Candidates:
    """Push this machine's images, and lay digests and bills of materials in `build`/release/<architecture>.

    Raises ReleaseError, before anything is pushed, when an image or a bill is missing or of another commit.
    """
    found = {name: _checked(name, version, revision) for name in images}
    bills = {name: _bill(name, version, build) for name in images}
    architecture = found[images[0]]["Architecture"]
    digests = {}
    for name in images:
        candidate = f"{registry}/{name}:candidate-{revision[:12]}-{architecture}"
        docker("tag", f"florin/{name}:{version}", candidate)
        docker("push", "--quiet", candidate, timeout_s=MOVING_TIMEOUT_S)
        digests[name] = _single(candidate)
    pushed = Candidates(version, revision, architecture, digests)
    folder = build / "release" / architecture
    folder.mkdir(parents=True, exist_ok=True)
    for name, bill in bills.items():
        shutil.copyfile(bill, folder / f"{name}-{architecture}.cdx.json")
    (folder / "candidates.json").write_text(json.dumps(asdict(pushed), indent=1) + "\n")
    return pushed


def publish(
    images: Sequence[str], registry: str, *, version: str, architectures: Sequence[str], build: Path
) -> dict[str, str]:
    """Give the candidates in `build`/release their version; the digest of each, by name.

    What a person needs beside them lies in `build`/release/assets afterwards. Raises ReleaseError when an
    architecture is missing, when they are not of one commit, or when the version was given before: all of
    it, or an image of it to other bytes. A release that broke off half way can be finished.
    """
    candidates = [_read(build, architecture) for architecture in architectures]
    if len({(one.version, one.revision) for one in candidates} | {(version, candidates[0].revision)}) != 1:
        raise ReleaseError(f"not all candidates are of {version} and of one commit: push them again")
    wanted = {name: sorted(one.digests[name] for one in candidates) for name in images}
    given = {name: published(f"{registry}/{name}:{version}") for name in images}
    taken = [name for name, index in given.items() if index and _members(index) != wanted[name]]
    if taken:
        raise ReleaseError(
            f"{version} was released with other bytes ({', '.join(taken)}): take the next version"
        )
    if all(given.values()):
        raise ReleaseError(f"{version} is released already, with these very bytes")
    for name in images:
        if given[name] is None:
            sources = [f"{registry}/{name}@{digest}" for digest in wanted[name]]
            docker("buildx", "imagetools", "create", "--tag", f"{registry}/{name}:{version}", *sources)
    digests = {name: _index(f"{registry}/{name}:{version}", wanted[name]) for name in images}
    _lay_out_assets(registry, version, digests, candidates, build)
    return digests


def subjects(
    images: Sequence[str], *, architectures: Sequence[str], build: Path
) -> dict[str, dict[str, str]]:
    """For each published image the digests of its version and of each architecture: what is attested."""
    assets = build / "release" / "assets" / "digests.txt"
    lines = (line.rpartition("@") for line in assets.read_text().split())
    given = {name.rpartition(":")[0].rpartition("/")[2]: digest for name, _, digest in lines}
    candidates = {architecture: _read(build, architecture).digests for architecture in architectures}
    return {
        name: {"version": given[name], **{one: digests[name] for one, digests in candidates.items()}}
        for name in images
    }


def _size_mb(image: str) -> int:
    # Asked inside: what engines tell of an image's size is packed here, unpacked there, or both.
    inside = ("run", "--rm", "--network", "none", "--read-only", "--user", "0:0", "--entrypoint", "du", image)
    return int(docker(*inside, "-sx", "--apparent-size", "--block-size=1000000", "/").split()[0])


def _checked(name: str, version: str, revision: str) -> dict[str, Any]:
    """What the engine knows of an image that says itself that it is of this version and commit."""
    image = f"florin/{name}:{version}"
    found = local(image)
    labels = found["Config"].get("Labels") or {}
    if (labels.get(f"{_LABEL}version"), labels.get(f"{_LABEL}revision")) != (version, revision):
        raise ReleaseError(f"{image} was built of another commit than {revision[:12]}: make images")
    return found


def _bill(name: str, version: str, build: Path) -> Path:
    path = build / "sbom" / f"{name}.json"
    if not path.is_file() or json.loads(path.read_text())["metadata"]["component"]["version"] != version:
        raise ReleaseError(f"there is no bill of materials of florin/{name} {version}: make sbom")
    return path


def _single(reference: str) -> str:
    """The digest of a manifest of one architecture, as the registry tells it."""
    manifest = published(reference)
    if manifest is None or manifest["mediaType"] in INDEXES:
        raise ReleaseError(
            f"{reference} is not one architecture's image: build without attestations of the builder"
        )
    return str(manifest["digest"])


def _read(build: Path, architecture: str) -> Candidates:
    path = build / "release" / architecture / "candidates.json"
    if not path.is_file():
        raise ReleaseError(f"there are no candidates of {architecture}: push them on such a machine")
    return Candidates(**json.loads(path.read_text()))


def _members(index: Mapping[str, Any]) -> list[str]:
    return sorted(one["digest"] for one in index.get("manifests", ()))


def _index(reference: str, members: list[str]) -> str:
    index = published(reference)
    if index is None or _members(index) != members:
        raise ReleaseError(f"{reference} is not what was published: somebody else writes to this registry")
    return str(index["digest"])


def _lay_out_assets(
    registry: str, version: str, digests: Mapping[str, str], candidates: Sequence[Candidates], build: Path
) -> None:
    """The digests, the bills of materials, and their checksums: what is attached to the release's page."""
    assets = build / "release" / "assets"
    shutil.rmtree(assets, ignore_errors=True)
    assets.mkdir(parents=True)
    lines = [f"{registry}/{name}:{version}@{digest}\n" for name, digest in digests.items()]
    (assets / "digests.txt").write_text("".join(lines))
    for one in candidates:
        for bill in sorted((build / "release" / one.architecture).glob("*.cdx.json")):
            shutil.copyfile(bill, assets / bill.name)
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(assets.iterdir())
    ]
    (assets / "SHA256SUMS").write_text("".join(sums))
