"""`deploy/k8s/florin`: any command of the command line in a cluster, by a pod that lasts as long as it."""

import os
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from .manifests import K8S, OVERLAYS, SERVICES, Document
from .test_network_policies import process, reaches, server
from .test_schemas import RELEASES

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
WORDS = ("parked", "replay", "--all", "--note", 'mended: "the" cause\'s gone')
# Answers as a cluster would in which the command has ended with status 3.
STUB = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$*" in
  kustomize*) exec "$REAL_KUBECTL" "$@" ;;
  create*) cat >"$ASKED.pod"; echo pod/florin-1 ;;
  *jsonpath={.status.phase}) printf Succeeded ;;
  *logs*) echo "nothing is parked" ;;
  *exitCode}) printf 3 ;;
esac
"""


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **variables}
    command = [str(K8S / "florin"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module", params=OVERLAYS)
def pod(request: pytest.FixtureRequest) -> tuple[str, Document]:
    done = run(request.param, *WORDS, PRINT="1")
    assert done.returncode == 0, done.stderr
    document: Document = yaml.safe_load(done.stdout)
    return request.param, document


def test_the_pod_is_valid_and_says_the_words(pod: tuple[str, Document]) -> None:
    _, document = pod
    for release in RELEASES:
        kubernetes_validate.validate(dict(document), release, strict=True)
    (container,) = document["spec"]["containers"]
    assert tuple(container["args"]) == WORDS
    assert document["spec"]["restartPolicy"] == "Never"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_pod_reaches_every_server_and_api_and_no_internal_port(pod: tuple[str, Document]) -> None:
    name, document = pod
    here = document["metadata"]["labels"]
    assert reaches(name, here, server("postgres"), 5432)
    for port in (5671, 15671) if name == "production" else (5672, 15672):
        assert reaches(name, here, server("rabbitmq"), port)
    for service in SERVICES:
        assert reaches(name, here, process(service, "api"), 8080)
        assert not reaches(name, here, process(service, "api"), 9090)


def test_it_ends_as_the_command_ended_and_leaves_no_pod(tmp_path: Path) -> None:
    stub, asked = tmp_path / "kubectl", tmp_path / "asked"
    stub.write_text(STUB)
    stub.chmod(0o755)
    real = shutil.which("kubectl")
    assert real is not None
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run("dev", "parked", "list", PATH=path, ASKED=str(asked), REAL_KUBECTL=real)
    assert done.returncode == 3, done.stderr
    assert done.stdout == "nothing is parked\n"
    assert yaml.safe_load(Path(f"{asked}.pod").read_text())["spec"]["containers"][0]["args"] == [
        "parked",
        "list",
    ]
    assert "delete --wait=false pod/florin-1" in asked.read_text()
