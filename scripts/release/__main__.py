"""The steps of a release as commands; make and the forge's workflow call them from the repository's root."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from scripts.release import pins, publishing, versions
from scripts.release.errors import ReleaseError

IMAGES = ("transaction", "account", "fraud", "notification", "identity", "tools")
ARCHITECTURES = ("amd64", "arm64")
BUILD = Path("build")


def main(words: Sequence[str]) -> int:
    """0: done; 1: refused, with the reason on standard error."""
    given = _parser().parse_args(words)
    try:
        given.step(given)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.release", description=__doc__)
    steps = parser.add_subparsers(required=True)

    prepare = steps.add_parser("prepare", help="write a version into packages and changelog")
    prepare.add_argument("version")
    prepare.set_defaults(step=_prepare)

    check = steps.add_parser("check", help="is this checkout what a tag says?")
    check.add_argument("tag")
    check.set_defaults(step=_check)

    notes = steps.add_parser("notes", help="what the changelog tells of a version")
    notes.add_argument("version")
    notes.set_defaults(step=lambda given: print(versions.notes(Path(), given.version), end=""))

    sizes = steps.add_parser("sizes", help="refuse images that are too large")
    sizes.add_argument("version")
    sizes.add_argument("--limit-mb", type=int, default=250)
    sizes.set_defaults(step=_sizes)

    push = steps.add_parser("push", help="push this machine's images as candidates")
    push.add_argument("version")
    push.add_argument("--registry", required=True, help="host and path")
    push.set_defaults(step=_push)

    publish = steps.add_parser("publish", help="give the candidates of all architectures their version")
    publish.add_argument("version")
    publish.add_argument("--registry", required=True, help="host and path")
    publish.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    publish.set_defaults(step=_publish)

    subjects = steps.add_parser("subjects", help="the digests of what was published, as JSON")
    subjects.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    subjects.set_defaults(step=_subjects)

    pin = steps.add_parser("pin", help="write the digests of public images into the files that name them")
    pin.add_argument("--mirror", help="host and path to ask instead of the public registries")
    pin.add_argument("--check", action="store_true", help="only tell what has no digest")
    pin.set_defaults(step=_pin)
    return parser


def _prepare(given: argparse.Namespace) -> None:
    versions.prepare(Path(), given.version, today=datetime.now(UTC).date().isoformat())


def _check(given: argparse.Namespace) -> None:
    found = list(versions.problems(Path(), given.tag))
    if unpinned := pins.unpinned(Path()):
        found.append(f"{len(unpinned)} images are named without a digest: make pin-images, and commit")
    _refuse(found)


def _sizes(given: argparse.Namespace) -> None:
    _refuse(publishing.oversized(IMAGES, given.version, limit_mb=given.limit_mb))


def _push(given: argparse.Namespace) -> None:
    revision = versions.revision(Path())
    pushed = publishing.push(IMAGES, given.registry, version=given.version, revision=revision, build=BUILD)
    for name, digest in pushed.digests.items():
        print(f"{given.registry}/{name}@{digest} ({pushed.architecture})")


def _publish(given: argparse.Namespace) -> None:
    digests = publishing.publish(
        IMAGES, given.registry, version=given.version, architectures=given.architectures, build=BUILD
    )
    for name, digest in digests.items():
        print(f"{given.registry}/{name}:{given.version}@{digest}")


def _subjects(given: argparse.Namespace) -> None:
    print(json.dumps(publishing.subjects(IMAGES, architectures=given.architectures, build=BUILD)))


def _pin(given: argparse.Namespace) -> None:
    if given.check:
        _refuse([f"{one} has no digest" for one in pins.unpinned(Path())])
        return
    for tagged, digest in pins.pin(Path(), mirror=given.mirror).items():
        print(f"{tagged}@{digest}")


def _refuse(found: Sequence[str]) -> None:
    if found:
        raise ReleaseError("\nrelease: ".join(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
