"""Rules over every workload of both overlays: probes, limits, rights, disruption, spread, drain, scale."""

from typing import Any

import pytest

from .manifests import (
    OVERLAYS,
    SERVICES,
    Document,
    containers,
    is_ours,
    is_process,
    labels,
    of_kind,
    overlay,
    pod,
    selects,
    title,
    workloads,
)

pytestmark = pytest.mark.parametrize("name", OVERLAYS)
LONGEST_DRAIN_S = 25
PRE_STOP_S = 5


def running(name: str) -> list[Document]:
    """Workloads that stay."""
    return [one for one in workloads(name) if one["kind"] != "Job"]


def test_every_service_has_an_api_a_worker_and_a_migration(name: str) -> None:
    titles = {title(one) for one in workloads(name)}
    for service in SERVICES:
        assert {
            f"Deployment/{service}-api",
            f"Deployment/{service}-worker",
            f"Job/{service}-migrate",
        } <= titles
    assert "Job/provision" in titles


def test_every_process_of_ours_is_probed_on_its_internal_port(name: str) -> None:
    for workload in filter(is_process, running(name)):
        for container in containers(workload):
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports["internal"] == 9090, title(workload)
            for probe, path in (
                ("startupProbe", "/livez"),
                ("livenessProbe", "/livez"),
                ("readinessProbe", "/readyz"),
            ):
                assert container[probe]["httpGet"] == {"path": path, "port": "internal"}, (
                    title(workload),
                    probe,
                )


def test_whatever_stays_is_probed(name: str) -> None:
    for workload in running(name):
        for container in containers(workload):
            assert {"livenessProbe", "readinessProbe"} <= container.keys(), title(workload)


def test_every_container_asks_for_what_it_needs_and_has_limits(name: str) -> None:
    for workload in workloads(name):
        for container in containers(workload):
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][kind].keys(), (title(workload), kind)


def test_every_pod_is_restricted(name: str) -> None:
    for workload in workloads(name):
        spec = pod(workload)["spec"]
        rights = spec["securityContext"]
        assert rights["runAsNonRoot"] is True, title(workload)
        assert rights["runAsUser"] > 0, title(workload)
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}, title(workload)
        assert spec["automountServiceAccountToken"] is False, title(workload)
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, title(workload)
        for container in containers(workload):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, title(workload)
            assert own["capabilities"] == {"drop": ["ALL"]}, title(workload)
            assert "privileged" not in own, title(workload)
            if is_ours(workload):
                assert own["readOnlyRootFilesystem"] is True, title(workload)
        kinds = {kind for volume in spec.get("volumes", ()) for kind in volume if kind != "name"}
        assert kinds <= {"projected", "secret", "configMap", "emptyDir", "persistentVolumeClaim"}, title(
            workload
        )


def test_the_namespace_enforces_it(name: str) -> None:
    (namespace,) = of_kind(name, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_secret_stands_in_the_open(name: str) -> None:
    assert not of_kind(name, "Secret")
    for workload in workloads(name):
        for container in containers(workload):
            for variable in container.get("env", ()):
                told = str(variable.get("value", ""))
                assert "password" not in variable["name"].lower() or "/run/" in told, title(workload)
    for config in of_kind(name, "ConfigMap"):
        for key, value in config["data"].items():
            assert not any(word in key for word in ("PASSWORD", "PEPPER", "SECRET_KEY")), key
            assert ":" not in value.partition("://")[2].rpartition("@")[0], key


def test_every_workload_that_stays_has_one_disruption_budget(name: str) -> None:
    budgets = of_kind(name, "PodDisruptionBudget")
    for workload in running(name):
        taken = [one for one in budgets if selects(one["spec"]["selector"], labels(workload))]
        assert len(taken) == 1, (title(workload), [title(one) for one in taken])
        assert "maxUnavailable" in taken[0]["spec"], (
            "a budget of minAvailable on one replica blocks every drain"
        )


def test_processes_are_spread_and_drain_before_they_are_killed(name: str) -> None:
    for workload in filter(is_process, running(name)):
        spec = pod(workload)["spec"]
        spread = spec["topologySpreadConstraints"]
        assert {one["topologyKey"] for one in spread} == {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }
        for one in spread:
            assert one["labelSelector"]["matchLabels"] == workload["spec"]["selector"]["matchLabels"]
        (container,) = spec["containers"]
        assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(PRE_STOP_S)]
        assert spec["terminationGracePeriodSeconds"] > PRE_STOP_S + LONGEST_DRAIN_S


def test_selectors_of_two_workloads_never_take_the_same_pods(name: str) -> None:
    staying = running(name)
    for one in staying:
        takes = [title(other) for other in staying if selects(one["spec"]["selector"], labels(other))]
        assert takes == [title(one)]


def test_every_deployment_is_scaled_by_something_or_has_its_number(name: str) -> None:
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]
        for one in of_kind(name, "HorizontalPodAutoscaler", "ScaledObject")
    }
    for workload in of_kind(name, "Deployment"):
        by_itself = workload["metadata"]["name"] in scaled
        assert by_itself != ("replicas" in workload["spec"]), title(workload)


def test_workers_are_scaled_by_all_that_waits_and_not_by_what_one_worker_holds(name: str) -> None:
    from messaging.consumer import PREFETCH_FRAMES
    from messaging.topology import Topology

    objects = {one["metadata"]["name"]: one["spec"] for one in of_kind(name, "ScaledObject")}
    assert set(objects) == {f"{service}-worker" for service in SERVICES if service != "identity"}
    for worker, spec in objects.items():
        trigger = next(one for one in spec["triggers"] if one["type"] == "rabbitmq")
        told: dict[str, Any] = trigger["metadata"]
        assert spec["scaleTargetRef"]["name"] == worker
        assert told["queueName"] == Topology("florin").queue(worker.removesuffix("-worker"))
        assert (told["protocol"], told["excludeUnacknowledged"]) == ("http", "false")
        assert int(told["value"]) > PREFETCH_FRAMES


def test_jobs_end_and_their_pods_are_not_taken_for_processes(name: str) -> None:
    for job in of_kind(name, "Job"):
        assert {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"} <= job["spec"].keys()
        assert "florin-metrics" not in labels(job)


def test_each_service_sees_its_own_secrets_and_only_its_migration_the_owners(name: str) -> None:
    for workload in filter(is_ours, workloads(name)):
        own = labels(workload).get("app.kubernetes.io/name")
        seen = {
            source["secret"]["name"]
            for volume in pod(workload)["spec"]["volumes"]
            for source in volume.get("projected", {}).get("sources", ())
            if "items" not in source["secret"]
        }
        role = labels(workload)["app.kubernetes.io/component"]
        expected = {"florin-operator"} if role == "provision" else {f"florin-{own}"}
        assert seen == expected | ({f"florin-{own}-owner"} if role == "migrate" else set()), title(workload)


def test_every_process_is_scraped(name: str) -> None:
    (monitor,) = (one for one in of_kind(name, "ServiceMonitor") if title(one) == "ServiceMonitor/processes")
    services = [
        one
        for one in of_kind(name, "Service")
        if selects(monitor["spec"]["selector"], one["metadata"].get("labels", {}))
    ]
    for workload in filter(is_ours, running(name)):
        seen_by = [
            one for one in services if selects({"matchLabels": one["spec"]["selector"]}, labels(workload))
        ]
        assert len(seen_by) == 1, title(workload)


def test_everything_lies_in_the_namespace(name: str) -> None:
    for one in overlay(name):
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == "florin", title(one)
