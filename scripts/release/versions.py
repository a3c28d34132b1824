"""One version: of the tag, of every package, and of the changelog's newest section."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from scripts.release.errors import ReleaseError

MANIFESTS = ("pyproject.toml", "libs/*/pyproject.toml", "services/*/pyproject.toml", "tools/*/pyproject.toml")
# Semantic Versioning without build metadata: a `+` cannot stand in an image's tag.
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_VERSION_LINE = re.compile(r'^version = ".*"$', re.MULTILINE)
_GIT_TIMEOUT_S = 60


def problems(root: Path, tag: str) -> Iterator[str]:
    """Whatever keeps the checkout at `root` from being released as `tag` (v1.2.3)."""
    version = tag.removeprefix("v")
    if tag == version or not VERSION.fullmatch(version):
        yield f"the tag {tag!r} is not v and a semantic version, as in v1.2.3"
        return
    for path in _manifests(root):
        told = tomllib.loads(path.read_text())["project"]["version"]
        if told != version:
            yield f"{path.relative_to(root)} says {told}, not {version}"
    sections = _sections(root)
    if sections.get("Unreleased", "").strip():
        yield "CHANGELOG.md tells of changes that are in no release: move them under the version"
    title = next((one for one in sections if one != "Unreleased"), "")
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", title):
        yield f"the newest section of CHANGELOG.md is [{title}], not [{version}] with its date"
    elif not sections[title].strip():
        yield f"CHANGELOG.md tells nothing of {version}"
    if _git(root, "status", "--porcelain"):
        yield "there are changes that are not committed: an image would bear the number of another state"
    if _git(root, "tag", "--list", tag) and _git(root, "rev-list", "-n1", tag) != revision(root):
        yield f"the tag {tag} is on another commit: what was released is not changed, take the next version"


def notes(root: Path, version: str) -> str:
    """The changelog's section about `version`, without its title. Raises ReleaseError."""
    for title, text in _sections(root).items():
        if title.split(" - ")[0] == version and text.strip():
            return text.strip() + "\n"
    raise ReleaseError(f"CHANGELOG.md tells nothing of {version}")


def prepare(root: Path, version: str, *, today: str) -> None:
    """Write `version` into every package, and date what the changelog tells. Raises ReleaseError."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is not a semantic version, as in 1.2.3")
    sections = _sections(root)
    if not sections.get("Unreleased", "").strip():
        raise ReleaseError("CHANGELOG.md has nothing that is not released")
    if any(title.split(" - ")[0] == version for title in sections):
        raise ReleaseError(f"CHANGELOG.md tells of {version} already")
    for path in _manifests(root):
        path.write_text(_VERSION_LINE.sub(f'version = "{version}"', path.read_text(), count=1))
    changelog = root / "CHANGELOG.md"
    heading = f"## [Unreleased]\n\n## [{version}] - {today}\n"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]\n", heading, 1))


def revision(root: Path) -> str:
    """The commit that is checked out, in full."""
    return _git(root, "rev-parse", "HEAD")


def _manifests(root: Path) -> list[Path]:
    return sorted(path for pattern in MANIFESTS for path in root.glob(pattern))


def _sections(root: Path) -> dict[str, str]:
    """Title to text, in the changelog's order: "Unreleased", "1.2.3 - 2026-11-21"."""
    _, *parts = re.split(r"^## ", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    split = (part.partition("\n") for part in parts)
    return {title.replace("[", "").replace("]", "").strip(): text for title, _, text in split}


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=False, timeout=_GIT_TIMEOUT_S
    )
    if done.returncode != 0:
        raise ReleaseError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
