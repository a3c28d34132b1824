"""What is promised of deploy/compose.yml, read as it stands; `make compose-test` brings it up."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from florin.credentials import load_or_make
from florin.environment import Surroundings
from florin.handing_out import hand_out
from florin.ports import Ports

from .manifests import ROOT, SERVICES

PROCESSES = (*(f"{service}-{role}" for service in SERVICES[:4] for role in ("api", "worker")), "identity")
# For nobody on one machine: it scales workers in a cluster.
HANDED_TO_NOBODY = {"watcher"}
Service = Mapping[str, Any]


@pytest.fixture(scope="module")
def services() -> Mapping[str, Service]:
    document = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())
    found: Mapping[str, Service] = document["services"]
    return found


def _volumes(service: Service) -> set[str]:
    return {one.split(":")[0] for one in service.get("volumes", ()) if not one.startswith(".")}


def test_every_process_runs_and_sees_its_own_secrets_only(services: Mapping[str, Service]) -> None:
    for name in PROCESSES:
        own = name.removesuffix("-api").removesuffix("-worker")
        assert _volumes(services[name]) == {f"{own}-secrets"}
        assert _volumes(services[f"migrate-{own}"]) == {f"{own}-secrets", f"{own}-owner-secrets"}
    assert _volumes(services["watch"]) == {"watch-secrets"}


def test_whoever_is_given_secrets_has_a_volume_for_them(
    services: Mapping[str, Service], tmp_path: Path
) -> None:
    run_dir = tmp_path / "operator"
    surroundings = Surroundings(
        run_dir=run_dir,
        ports=Ports(),
        credentials=load_or_make(run_dir),
        database_admin_url="postgresql://postgres:secret@postgres/postgres",
        broker_url="amqp://florin:secret@rabbitmq/",
        broker_management_url="http://florin:secret@rabbitmq:15672",
    )
    given = set(hand_out(surroundings, tmp_path))
    mounted = {one.split(":")[1].rsplit("/", 1)[1] for one in services["secrets"]["volumes"]} - {"operator"}
    assert mounted == given - HANDED_TO_NOBODY


def test_all_but_the_servers_are_without_rights(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        if name in ("postgres", "rabbitmq"):
            continue
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "cap_add" not in service or name == "secrets", name
        assert service.get("user") != "0:0" or name == "secrets", name


def test_whatever_stays_has_limits(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        if service["restart"] != "no":
            assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys(), name


def test_ports_are_this_machines_own(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_images_are_pinned_and_named_without_a_host(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", service["image"])
        repository, _, tag = image.partition(":")
        assert tag, name
        assert tag.partition("@")[0] != "latest", name
        assert "." not in repository.split("/")[0], name


def test_no_secret_stands_in_a_variable(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            is_path = str(value).startswith("/run/")
            assert is_path or not re.search("PASS|SECRET|PEPPER|_KEY$", variable), (name, variable)
            assert not re.search(r"://[^/@]*:[^/@]+@", str(value)), (name, variable)


def test_services_wait_for_their_schema_and_servers_for_their_passwords(
    services: Mapping[str, Service],
) -> None:
    done = {"condition": "service_completed_successfully"}
    for name in PROCESSES:
        own = name.removesuffix("-api").removesuffix("-worker")
        assert services[name]["depends_on"] == {f"migrate-{own}": done}
        assert services[f"migrate-{own}"]["depends_on"] == {"provision": done}
    for server in ("postgres", "rabbitmq", "valkey"):
        assert services[server]["depends_on"] == {"secrets": done}
        assert services["provision"]["depends_on"][server] == {"condition": "service_healthy"}
        assert "healthcheck" in services[server]


def test_what_it_mounts_from_here_is_here(services: Mapping[str, Service]) -> None:
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            if volume.startswith("."):
                assert (ROOT / "deploy" / volume.split(":")[0]).exists(), (name, volume)
