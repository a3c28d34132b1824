"""What may flow in the cluster: what the services need, and nothing else."""

from collections.abc import Mapping

import pytest

from .manifests import OVERLAYS, SERVICES, Document, is_ours, labels, of_kind, selects, title, workloads

Labels = Mapping[str, str]
INGRESS_NAMESPACE = {"florin-ingress": "true"}
WATCHING_NAMESPACE = {"florin-observability": "true"}


def process(service: str, role: str) -> Labels:
    """The labels of a process's pods."""
    return {
        "app.kubernetes.io/part-of": "florin",
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/component": role,
        "florin-metrics": "true",
    }


def server(kind: str) -> Labels:
    """The labels of a server's pods."""
    return {"florin-server": kind}


PORTS = {"http": 8080, "internal": 9090}


def reaches(name: str, source: Labels, target: Labels, port: int) -> bool:
    """Whether a pod may open a connection to another's port: out by the one's policies, in by the other's."""
    return _passes(name, "Egress", source, target, port) and _passes(name, "Ingress", target, source, port)


def _passes(name: str, way: str, of: Labels, other: Labels, port: int) -> bool:
    field, peers = ("egress", "to") if way == "Egress" else ("ingress", "from")
    policies = [
        one["spec"]
        for one in of_kind(name, "NetworkPolicy")
        if way in one["spec"]["policyTypes"] and selects(one["spec"]["podSelector"], of)
    ]
    assert policies, "a pod that no policy takes is open to all"
    return any(
        _is_peer(rule.get(peers), other) and _is_port(rule.get("ports"), port)
        for spec in policies
        for rule in spec.get(field, ())
    )


def _is_peer(peers: list[Document] | None, other: Labels) -> bool:
    if peers is None:
        return True
    return any("podSelector" in one and selects(one["podSelector"], other) for one in peers)


def _is_port(ports: list[Document] | None, port: int) -> bool:
    if ports is None:
        return True
    return any(
        PORTS.get(one["port"], one["port"]) == port
        or ("endPort" in one and one["port"] <= port <= one["endPort"])
        for one in ports
    )


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_flows_that_no_policy_names(name: str) -> None:
    everything = [one for one in of_kind(name, "NetworkPolicy") if one["spec"]["podSelector"] == {}]
    assert {way for one in everything for way in one["spec"]["policyTypes"]} == {"Ingress", "Egress"}
    refusing = next(one["spec"] for one in everything if title(one) == "NetworkPolicy/nothing")
    assert refusing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_its_servers_and_identity(name: str, service: str) -> None:
    pooler = "pooler" if name == "production" else "postgres"
    for role in ("api", "worker"):
        here = process(service, role)
        assert reaches(name, here, server(pooler), 5432)
        assert reaches(name, here, server("valkey"), 6379)
        on_the_bus = service != "identity"
        amqp = 5671 if name == "production" else 5672
        assert reaches(name, here, server("rabbitmq"), amqp) is on_the_bus
        assert not reaches(name, here, server("rabbitmq"), 15672)
    assert reaches(name, process(service, "api"), process("identity", "api"), 8080)
    migration = {**process(service, "migrate"), "florin-metrics": ""}
    assert reaches(name, migration, server("postgres"), 5432)


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_do_not_call_one_another_but_for_dry_runs(name: str) -> None:
    asking = {
        (source, target)
        for source in SERVICES
        for target in SERVICES
        for role in ("api", "worker")
        if source != target
        and target != "identity"
        and reaches(name, process(source, role), process(target, "api"), 8080)
    }
    assert asking == {("transaction", "account"), ("transaction", "fraud")}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_internal_port_is_for_those_who_watch(name: str) -> None:
    for source in SERVICES:
        for target in SERVICES:
            assert not reaches(name, process(source, "api"), process(target, "api"), 9090)
    metrics = next(
        one["spec"] for one in of_kind(name, "NetworkPolicy") if title(one) == "NetworkPolicy/metrics"
    )
    assert metrics["ingress"][0]["from"] == [{"namespaceSelector": {"matchLabels": WATCHING_NAMESPACE}}]


@pytest.mark.parametrize("name", OVERLAYS)
def test_clients_come_to_apis_only_and_from_the_ingress_only(name: str) -> None:
    let_in = [
        one["spec"]
        for one in of_kind(name, "NetworkPolicy")
        if any(
            {"namespaceSelector": {"matchLabels": INGRESS_NAMESPACE}} in rule.get("from", ())
            for rule in one["spec"].get("ingress", ())
        )
    ]
    assert len(let_in) == len(SERVICES)
    for spec in let_in:
        assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "api"
        assert spec["ingress"][0]["ports"] == [{"port": "http"}]


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_who_sends_webhooks_reaches_the_world_and_never_private_networks(name: str) -> None:
    outside = {
        title(one): block["ipBlock"]
        for one in of_kind(name, "NetworkPolicy")
        for rule in one["spec"].get("egress", ())
        for block in rule.get("to", ())
        if "ipBlock" in block
    }
    assert list(outside) == ["NetworkPolicy/webhooks"]
    private = {
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
    }
    assert private <= set(outside["NetworkPolicy/webhooks"]["except"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_workload_is_under_a_policy_of_its_own_each_way_it_needs(name: str) -> None:
    named = [one["spec"] for one in of_kind(name, "NetworkPolicy") if one["spec"]["podSelector"]]
    for workload in workloads(name):
        ways = {
            way
            for spec in named
            if selects(spec["podSelector"], labels(workload))
            for way in spec["policyTypes"]
        }
        staying = workload["kind"] != "Job"
        wanted = ({"Ingress"} if staying else set()) | ({"Egress"} if is_ours(workload) else set())
        assert wanted <= ways, title(workload)
