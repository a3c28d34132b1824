"""The alert rules as they are deployed, and Prometheus' programs to run them with."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from florin import dashboards

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
RULES = sorted((DEPLOY / "rules").glob("*.yml"))
TESTS = sorted((DEPLOY / "tests").glob("*.yml"))


@dataclass(frozen=True)
class Rule:
    """One rule of a file: an alert, or what is recorded under a name."""

    alert: str | None
    record: str | None
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def all_rules() -> Iterator[Rule]:
    """Every rule of every file, in order."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield Rule(
                    rule.get("alert"),
                    rule.get("record"),
                    rule["expr"],
                    rule.get("labels", {}),
                    rule.get("annotations", {}),
                )


def alerts() -> list[Rule]:
    """The alerts alone."""
    return [rule for rule in all_rules() if rule.alert is not None]


def promtool_cases() -> list[dict[str, Any]]:
    """Every case of promtool's unit tests."""
    return [case for file in TESTS for case in yaml.safe_load(file.read_text())["tests"]]


def program(name: str) -> str:
    """Where promtool or prometheus is; skips the test where it is not. `make alerts-test` brings it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: `make alerts-test` brings it")
    return found


# Whose metrics there are: ours, the Python client's and the broker's, and what only a cluster tells.
_ON_ONE_MACHINE = ("florin", "process", "rabbitmq", "up")
_IN_A_CLUSTER = ("cnpg", "barman_cloud", "kube", "kubelet")
_SELECTOR = re.compile(rf"\b((?:{'|'.join(_ON_ONE_MACHINE + _IN_A_CLUSTER)})[a-z0-9_:]*)(\{{[^}}]*\}})?")
# A stack on one machine has no TLS. Tests of their own show that these are told.
_BY_TLS = {
    "florin_certificate_expiry_timestamp_seconds",
    "florin_server_certificate_expiry_timestamp_seconds",
}
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


Selected = Iterator[tuple[str, frozenset[str]]]


def selected(expr: str) -> Selected:
    """Of those that an expression names, what a stack on one machine tells."""
    return (
        one for one in selected_anywhere(expr) if one[0].startswith(_ON_ONE_MACHINE) and one[0] not in _BY_TLS
    )


def selected_anywhere(expr: str) -> Selected:
    """Each metric that an expression names, with the labels that it selects by."""
    for match in _SELECTOR.finditer(expr):
        name, matchers = match.group(1), _TEXT.sub('""', match.group(2) or "")
        if name == "up" or "_" in name or ":" in name:
            yield name, frozenset(_LABEL.findall(matchers))


def used(select: Callable[[str], Selected] = selected) -> dict[str, tuple[set[str], set[str]]]:
    """Each metric that alerts, rules and dashboards name, with the places that name it and the labels that
    they select by."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    exprs = [("alerts" if rule.alert else "rules", rule.expr) for rule in all_rules()]
    for file, text in dashboards.files().items():
        for panel in json.loads(text)["panels"]:
            exprs += [(file.removesuffix(".json"), target["expr"]) for target in panel["targets"]]
    for place, expr in exprs:
        for name, labels in select(expr):
            places, selected_by = found.setdefault(name, (set(), set()))
            places.add(place)
            selected_by |= labels
    return found
