"""The overlays as kustomize builds them, and the parts of a workload that rules speak of."""

import functools
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("dev", "production")
SERVICES = ("transaction", "account", "fraud", "notification", "identity")
POD_OWNERS = ("Deployment", "StatefulSet", "Job")
Document = Mapping[str, Any]


@functools.cache
def overlay(name: str) -> Sequence[Document]:
    """Every document of the overlay; skips the test where no kustomize can be had."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run(
            [*command, str(K8S / "overlays" / name)], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]
    pytest.skip("neither kustomize nor kubectl is installed")


def of_kind(name: str, *kinds: str) -> list[Document]:
    """The overlay's documents of these kinds."""
    return [one for one in overlay(name) if one["kind"] in kinds]


def workloads(name: str) -> list[Document]:
    """What makes pods."""
    found = of_kind(name, *POD_OWNERS)
    assert found
    return found


def title(document: Document) -> str:
    """How a rule names what breaks it."""
    return f"{document['kind']}/{document['metadata']['name']}"


def pod(workload: Document) -> Document:
    """The template of its pods."""
    template: Document = workload["spec"]["template"]
    return template


def labels(workload: Document) -> dict[str, str]:
    """The labels of its pods."""
    return dict(pod(workload)["metadata"].get("labels", {}))


def containers(workload: Document) -> Iterator[Document]:
    """Every container of its pods, those that run before the others too."""
    spec = pod(workload)["spec"]
    yield from spec["containers"]
    yield from spec.get("initContainers", ())


def selects(selector: Document, those: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels, matchExpressions) takes what bears these labels."""
    if any(those.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", ()):
        value, values = those.get(rule["key"]), rule.get("values", [])
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[rule["operator"]]:
            return False
    return True


def is_process(workload: Document) -> bool:
    """Whether it is a service's: what watches serves no requests and holds no batch."""
    return is_ours(workload) and labels(workload).get("app.kubernetes.io/name") in SERVICES


def is_ours(workload: Document) -> bool:
    """Whether it runs our code."""
    return labels(workload).get("app.kubernetes.io/part-of") == "florin"
