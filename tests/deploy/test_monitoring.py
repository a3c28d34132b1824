"""What rules and dashboards go by is scraped in the cluster, under the labels that they go by."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from florin import cluster_rules, dashboards, metrics_page

from ..alerts.rules import DEPLOY, RULES, selected_anywhere, used
from .manifests import OVERLAYS, ROOT, Document, is_ours, labels, of_kind, pod, selects, title, workloads
from .test_network_policies import WATCHING_NAMESPACE

Pods = list[tuple[Mapping[str, str], Mapping[str, int]]]
LabelsOf = Callable[[Document], Mapping[str, str]]

# What operators make of a resource: the ports of its pods by name, and which labels it gives to them.
MADE_BY_OPERATORS: Mapping[str, tuple[Mapping[str, int], LabelsOf]] = {
    "RabbitmqCluster": ({"prometheus-tls": 15691}, lambda one: one["metadata"]["labels"]),
    "Cluster": ({"metrics": 9187}, lambda one: one["spec"]["inheritedMetadata"]["labels"]),
    "Pooler": ({"metrics": 9127}, lambda one: one["spec"]["template"]["metadata"]["labels"]),
}
# Prometheus' operator attaches these to each target, from what Kubernetes calls it.
ATTACHED = {
    "PodMonitor": {"namespace", "pod", "container", "endpoint", "job", "instance"},
    "ServiceMonitor": {"namespace", "pod", "container", "endpoint", "job", "instance", "service"},
}
# Which page of the broker's tells a metric of one queue: it has to be asked for by the family's name.
FAMILIES = {
    "rabbitmq_detailed_queue_messages": "queue_coarse_metrics",
    "rabbitmq_detailed_queue_consumers": "queue_consumer_count",
}
# kube-state-metrics and the nodes, which a cluster's own Prometheus scrapes: deploy/README.md asks for them.
THE_CLUSTERS = ("kube_", "kubelet_")
ON_EVERY_OVERLAY = pytest.mark.parametrize("name", OVERLAYS)


@dataclass(frozen=True)
class Scrape:
    """One page of the pods that one monitor selects."""

    monitor: Document
    page: Document
    pods: Pods

    @property
    def attached(self) -> dict[str, str | None]:
        """The labels of its series that are not the page's own, with their values if they are fixed."""
        found: dict[str, str | None] = dict.fromkeys(ATTACHED[self.monitor["kind"]])
        for rule in self.page.get("relabelings", ()):
            if rule.get("action") == "labeldrop":
                found.pop(rule["regex"])
            else:
                found[rule["targetLabel"]] = rule.get("replacement")
        return found


def scrapes(name: str) -> Iterator[Scrape]:
    """Every page that is read in this overlay."""
    for monitor in of_kind(name, "ServiceMonitor", "PodMonitor"):
        spec = monitor["spec"]
        found = [one for one in _pods(name) if selects(spec["selector"], one[0])]
        if monitor["kind"] == "ServiceMonitor":
            found += _behind_services(name, spec["selector"])
        for page in spec.get("endpoints") or spec["podMetricsEndpoints"]:
            yield Scrape(monitor, page, found)


def _pods(name: str) -> Pods:
    """The labels and the named ports of operators' pods, whose Services bear the same."""
    return [
        (labels_of(one), ports)
        for kind, (ports, labels_of) in MADE_BY_OPERATORS.items()
        for one in of_kind(name, kind)
    ]


def _behind_services(name: str, selector: Document) -> Pods:
    found: Pods = []
    for service in of_kind(name, "Service"):
        if not selects(selector, service["metadata"].get("labels", {})):
            continue
        for workload in workloads(name):
            if selects({"matchLabels": service["spec"]["selector"]}, labels(workload)):
                found.append((labels(workload), _ports(service, workload)))
    return found


def _ports(service: Document, workload: Document) -> dict[str, int]:
    """The Service's ports by name, with the numbers of the containers' that they lead to."""
    numbers = {
        port["name"]: port["containerPort"]
        for container in pod(workload)["spec"]["containers"]
        for port in container.get("ports", ())
    }
    return {port["name"]: numbers[port["targetPort"]] for port in service["spec"]["ports"]}


@ON_EVERY_OVERLAY
def test_every_monitor_finds_pods_and_its_port_and_may_come_to_it(name: str) -> None:
    for scrape in scrapes(name):
        assert scrape.pods, title(scrape.monitor)
        for bears, ports in scrape.pods:
            assert scrape.page["port"] in ports, title(scrape.monitor)
            assert _may_be_watched(name, bears, ports[scrape.page["port"]]), title(scrape.monitor)


def _may_be_watched(name: str, bears: Mapping[str, str], port: int) -> bool:
    watching = {"namespaceSelector": {"matchLabels": WATCHING_NAMESPACE}}
    return any(
        selects(one["spec"]["podSelector"], bears)
        and watching in rule.get("from", ())
        and {"port": "internal" if port == 9090 else port} in rule["ports"]
        for one in of_kind(name, "NetworkPolicy")
        for rule in one["spec"].get("ingress", ())
    )


@ON_EVERY_OVERLAY
def test_every_metric_that_somebody_goes_by_is_scraped(name: str) -> None:
    read = list(scrapes(name))
    named = used(selected_anywhere)
    assert len(named) > 60
    missing = []
    for metric in named:
        if metric.startswith(THE_CLUSTERS) or metric.startswith("florin:") or metric == "up":
            continue
        if metric.startswith(("cnpg_", "barman_cloud_")) and not of_kind(name, "Cluster"):
            continue
        if not any(_tells(scrape, metric) for scrape in read):
            missing.append(metric)
    assert missing == []


def _tells(scrape: Scrape, metric: str) -> bool:
    told_by, page = scrape.attached["app"], scrape.page
    if metric.startswith("rabbitmq_detailed_"):
        return page["path"] == "/metrics/detailed" and FAMILIES[metric] in page["params"]["family"]
    if metric.startswith("rabbitmq_"):
        return told_by == "rabbitmq" and page["path"] == "/metrics"
    if metric.startswith(("cnpg_", "barman_cloud_")):
        return told_by == "postgres"
    return any(bears.get("florin-metrics") == "true" for bears, _ in scrape.pods)


@ON_EVERY_OVERLAY
def test_series_bear_the_labels_by_which_rules_know_them(name: str) -> None:
    """`app` and `role` come from the scrape; what else they select by, from the metric or from Kubernetes."""
    told = {one.name: set(one.labels) for one in metrics_page.described()}
    for scrape in scrapes(name):
        assert "app" in scrape.attached, title(scrape.monitor)
    processes = next(one for one in scrapes(name) if title(one.monitor) == "ServiceMonitor/processes")
    for metric, (places, by) in used(selected_anywhere).items():
        plain = metric.removesuffix("_bucket").removesuffix("_count")
        if plain in told:
            assert by - told[plain] - {"le"} <= processes.attached.keys(), (metric, places)


@ON_EVERY_OVERLAY
def test_no_label_of_ours_is_hidden_by_one_of_kubernetes(name: str) -> None:
    """The Service's name as `service` would push ours aside, which is what the objectives are reckoned by."""
    ours = {label for one in metrics_page.described() for label in one.labels}
    assert "service" in ours
    for scrape in scrapes(name):
        if title(scrape.monitor) == "ServiceMonitor/processes":
            assert scrape.attached.keys() & ours == set()


@ON_EVERY_OVERLAY
def test_two_pages_of_one_pod_are_two_jobs(name: str) -> None:
    """Or one's `up` would overwrite the other's."""
    for _, pages in itertools.groupby(scrapes(name), key=lambda one: title(one.monitor)):
        jobs = [page.attached["job"] for page in pages]
        assert len(jobs) == len(set(jobs))


@ON_EVERY_OVERLAY
def test_the_broker_is_read_as_on_one_machine(name: str) -> None:
    jobs = {job["job_name"]: job for job in _prometheus()["scrape_configs"]}
    broker = [one for one in scrapes(name) if one.attached["app"] == "rabbitmq"]
    assert {(one.attached["job"], one.page["path"], str(one.page.get("params"))) for one in broker} == {
        (job, jobs[job].get("metrics_path", "/metrics"), str(jobs[job].get("params")))
        for job in ("rabbitmq", "rabbitmq-queues")
    }


def _prometheus() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    return told


def test_the_committed_rules_are_those_of_the_files() -> None:
    """`florin cluster-rules` writes them."""
    assert cluster_rules.WRITTEN.read_text() == cluster_rules.document()


@ON_EVERY_OVERLAY
def test_the_cluster_is_watched_by_the_same_rules(name: str) -> None:
    """But for where their pages are: anywhere that the overlay says, and there under the same name."""
    deployed = {one["metadata"]["name"]: one["spec"]["groups"] for one in of_kind(name, "PrometheusRule")}
    assert set(deployed) == {f"florin-{file.stem}" for file in RULES}
    pages = set()
    for file in RULES:
        groups = deployed[f"florin-{file.stem}"]
        for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
            address, there, page = rule["annotations"]["runbook_url"].partition("docs/runbooks/")
            assert (ROOT / there / page).is_file(), rule["alert"]
            assert address.startswith("https://" if name == "production" else "./")
            rule["annotations"]["runbook_url"] = f"{there}{page}"
            pages.add(page)
        assert groups == yaml.safe_load(file.read_text())["groups"]
    assert len(pages) > 20


def test_a_rules_file_that_is_more_than_its_groups_is_not_taken(tmp_path: Any) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("# why\ngroups:\n  - name: a\n    rules: []\nmore: 1\n")
    with pytest.raises(ValueError, match="something follows"):
        cluster_rules.document([file])


@ON_EVERY_OVERLAY
def test_every_dashboard_is_where_grafana_looks_for_it(name: str) -> None:
    found = {
        file: text
        for one in of_kind(name, "ConfigMap")
        if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for file, text in one["data"].items()
    }
    assert found == dashboards.files()


@ON_EVERY_OVERLAY
def test_a_missing_standby_is_reckoned_from_the_number_of_instances(name: str) -> None:
    for cluster in of_kind(name, "Cluster"):
        (expr,) = (
            rule["expr"]
            for one in of_kind(name, "PrometheusRule")
            for group in one["spec"]["groups"]
            for rule in group["rules"]
            if rule.get("alert") == "StandbyMissing"
        )
        assert expr.endswith(f"< {cluster['spec']['instances'] - 1}")


def test_what_watches_scrapes_our_processes_only_by_their_own_label() -> None:
    """A pod that runs our code and stays is scraped, and no other is taken for one."""
    for name in OVERLAYS:
        (processes,) = (one for one in scrapes(name) if title(one.monitor) == "ServiceMonitor/processes")
        scraped = {tuple(sorted(bears.items())) for bears, _ in processes.pods}
        ours = {
            tuple(sorted(labels(one).items()))
            for one in workloads(name)
            if is_ours(one) and one["kind"] != "Job"
        }
        assert scraped == ours
