"""The forge's workflows call steps that exist, for every image and architecture, with no rights to spare."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from .checkouts import ROOT, Checkout
from .registries import IMAGES

FOLDER = ROOT / ".github" / "workflows"
MAKEFILE = (ROOT / "Makefile").read_text()
NAMES = sorted(path.name for path in FOLDER.iterdir())
# Packages, images and our own tests: whatever they do, they do with what the job has.
RUNS_WHAT_WAS_FETCHED = re.compile(r"\.ci/run|make (images|compose-test|scan)")
Job = Mapping[str, Any]


def _jobs(name: str) -> Mapping[str, Job]:
    found: Mapping[str, Job] = yaml.safe_load((FOLDER / name).read_text())["jobs"]
    return found


def _steps(name: str) -> Iterator[Mapping[str, Any]]:
    for job in _jobs(name).values():
        yield from job["steps"]


@pytest.mark.parametrize("name", NAMES)
def test_every_step_that_a_workflow_calls_exists(name: str) -> None:
    commands = "\n".join(step.get("run", "") for step in _steps(name))
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", commands)) <= targets
    known = re.search(r"\{(.+)\}", Checkout(ROOT).step("--help").stdout)
    assert known
    assert set(re.findall(r"scripts\.release ([a-z]+)", commands)) <= set(known[1].split(","))
    for program in re.findall(r"^(?:\./)?(\.ci/\S+|scripts/\S+)", commands, re.MULTILINE):
        assert (ROOT / program).is_file(), program


@pytest.mark.parametrize("name", NAMES)
def test_whoever_runs_what_was_fetched_can_write_nothing_and_sees_no_password(name: str) -> None:
    for job in _jobs(name).values():
        running = [step for step in job["steps"] if RUNS_WHAT_WAS_FETCHED.search(step.get("run", ""))]
        if running:
            assert set(job["permissions"].values()) == {"read"}
            assert "secrets." not in str([job.get("env"), *running])


def test_every_image_is_attested_for_every_architecture_that_is_built() -> None:
    jobs = _jobs("release.yml")
    built = {one["architecture"] for one in jobs["build"]["strategy"]["matrix"]["include"]}
    assert tuple(jobs["attest"]["strategy"]["matrix"]["image"]) == IMAGES
    signed = [
        str(step["with"]) for step in jobs["attest"]["steps"] if "actions/attest@" in step.get("uses", "")
    ]
    for what in (*built, "version"):
        assert sum(f"[matrix.image].{what} " in one for one in signed) == 1, what
    assert built == {"amd64", "arm64"}


def test_all_who_name_the_images_name_the_same() -> None:
    named = re.search(r"^IMAGES := (.+)$", MAKEFILE, re.MULTILINE)
    assert named
    assert tuple(named[1].split()) == IMAGES
    services = {path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").is_file()}
    assert {*services, "tools"} == set(IMAGES)
