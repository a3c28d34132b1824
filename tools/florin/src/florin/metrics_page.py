"""docs/metrics.md, made from the code: every metric with its labels, its meaning, and who tells it."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from florin.services import PROCESSES, module_of
from florin.watching import WatchMetrics

HEAD = """\
# Metrics

Made from the code by `florin api-docs`. Each process serves them at `/metrics` on its internal port. Values
of labels come from lists in the code (states, codes, routes, message types, currencies): never a client, an
account or an id.

Where several processes say what each sees of the same thing (replicas of one service read one outbox), take
the maximum; counters add up. Besides these there are the Python client's own (`process_*`, `python_*`), and
the broker's at its port for metrics (`rabbitmq_*`).

| metric | type | labels | what it says | told by |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as its code declares it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    told_by: str


def text() -> str:
    """The page."""
    rows = [
        f"| `{one.name}` | {one.type} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} "
        f"| {one.told_by} |\n"
        for one in sorted(described(), key=lambda one: one.name)
    ]
    return HEAD + "".join(rows)


def described() -> Iterator[Described]:
    """Every metric of the services and of the watch."""
    for service in PROCESSES:
        importlib.import_module(f"{module_of(service)}.app")
    for metric in metrics_of(REGISTRY):
        yield _describe(metric, _teller(metric))
    for metric in metrics_of(WatchMetrics().registry):
        yield _describe(metric, "watch")


def metrics_of(registry: CollectorRegistry) -> list[MetricWrapperBase]:
    """Florin's own metrics in a registry."""
    # The registry has no other way to be asked for its members.
    members = set(registry._collector_to_names)
    return [one for one in members if isinstance(one, MetricWrapperBase) and one._name.startswith("florin_")]


def _describe(metric: MetricWrapperBase, told_by: str) -> Described:
    suffix = "_total" if metric._type == "counter" else ""
    help_text = metric._documentation.rstrip(".")
    return Described(metric._name + suffix, str(metric._type), tuple(metric._labelnames), help_text, told_by)


def _teller(metric: MetricWrapperBase) -> str:
    """The service in whose package the metric stands; `all` for those of the libraries."""
    for service in PROCESSES:
        if any(metric in vars(module).values() for module in _modules_of(service)):
            return service
    return "all"


def _modules_of(service: str) -> Iterator[object]:
    package = module_of(service)
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}."):
            yield module
