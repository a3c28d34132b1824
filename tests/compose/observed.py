"""The profile `observability`, from a payment's trace to an alert at the pager."""

import base64
import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from florin import dashboards

from tests.alerts.rules import alerts, all_rules, used
from tests.compose import engine
from tests.compose.asking import Asking
from tests.compose.project import FILE, Failed, Figures, Project, must
from tests.compose.waiting import until

APPS = ("transaction", "account", "fraud", "notification", "identity", "watch", "rabbitmq")
STANDINS = Path(__file__).parent / "standins"
PAYS = ("ct-observed-a", "ct-observed-b")
UP_TIMEOUT_S = 900
BUILD_TIMEOUT_S = 600
SCRAPED_WITHIN_S = 90.0
WATCHED_WITHIN_S = 180.0
SILENT_WITHIN_S = 120.0
# The rule waits 30 s for the event and 60 s more, the watch and Alertmanager add theirs.
FIRES_WITHIN_S = 300.0
ENDS_WITHIN_S = 300.0
# Always raised, so that its absence is noticed outside.
ALWAYS = "Heartbeat"


def observe(project: Project, figures: Figures) -> None:
    """The profile `observability`: metrics, rules, a trace, the watch, and an alert told to the pager."""
    images = json.loads(project.compose("--profile", "observability", "config", "--format", "json"))[
        "services"
    ]
    public = engine.all_here([images[name]["image"] for name in engine.OBSERVING])
    files = (FILE, STANDINS / "sink.yml", *(() if public else (STANDINS / "standins.yml",)))
    watched = replace(
        project, files=files, settings={**project.settings, "COMPOSE_PROFILES": "observability"}
    )
    figures["collector, Tempo, Grafana"] = (
        "the public images" if public else "not to be had: a sink stands in"
    )
    if not public:
        watched.compose("build", "-q", "prometheus", "alertmanager", timeout_s=BUILD_TIMEOUT_S)
    watched.compose("up", "-d", "--wait", timeout_s=UP_TIMEOUT_S)
    said = watched.florin("keys", "add", "demo", "--label", "compose-test")
    found = re.search(r"flk_[\w-]{20,}", said)
    must(found is not None, f"no key was shown: {said[-300:]}")
    asking = Asking(watched, found[0] if found else "")
    with tempfile.TemporaryDirectory() as folder:
        watched.open_accounts(Path(folder), {PAYS[0]: "100.00", PAYS[1]: "0.00"})
    steps = [
        a_trace_goes_through_all_services,
        everything_is_scraped,
        the_watch_has_checked_the_books,
        no_alert_is_raised,
        an_alert_reaches_the_pager_and_ends,
        *([grafana_shows_the_dashboards] if public else []),
    ]
    for step in steps:
        figures[step.__name__.replace("_", " ")] = step(asking)


def a_trace_goes_through_all_services(asking: Asking) -> str:
    """One payment, under the caller's trace id: the store of traces has spans of all four services."""
    trace = uuid4().hex
    _pay(asking, traceparent=f"00-{trace}-00f067aa0ba902b7-01", Prefer="wait=30")
    services: set[str] = set()

    def told() -> bool:
        for batch in asking.inside(f"http://tempo:3200/api/traces/{trace}").get("batches", ()):
            for attribute in batch["resource"]["attributes"]:
                if attribute["key"] == "service.name":
                    services.add(attribute["value"]["stringValue"])
        return {f"florin-{name}" for name in APPS[:4]} <= services

    until(told, within_s=60, what=f"a trace through all four services; {sorted(services)} told theirs")
    return f"one id in {len(services)} services"


def everything_is_scraped(asking: Asking) -> str:
    """Each process answers Prometheus; its rules are sound, and its dashboards ask for what is there."""
    until(
        lambda: {one["metric"].get("app") for one in asking.series("up == 1")} >= set(APPS),
        within_s=SCRAPED_WITHIN_S,
        what=f"metrics of {', '.join(APPS)}",
    )
    down = [one["metric"] for one in asking.series("up == 0")]
    if down:
        raise Failed(f"Prometheus cannot read {down}")
    loaded = [rule for group in asking.prometheus("rules")["groups"] for rule in group["rules"]]
    unsound = [rule["name"] for rule in loaded if rule["health"] == "err"]
    if unsound or sum(rule["type"] == "alerting" for rule in loaded) != len(alerts()):
        raise Failed(f"{len(loaded)} rules were loaded, unsound: {unsound}")
    exprs = [rule.expr for rule in all_rules()]
    for text in dashboards.files().values():
        for panel in json.loads(text)["panels"]:
            exprs += [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
    for expr in exprs:
        asking.series(expr)
    wanted = used().keys()

    def missing() -> set[str]:
        return wanted - set(asking.prometheus("label/__name__/values"))

    try:
        until(lambda: not missing(), within_s=SCRAPED_WITHIN_S, what="every metric that is named")
    except Failed:
        raise Failed(f"named, and not exported: {sorted(missing())}") from None
    up = len(asking.series("up == 1"))
    return f"{up} targets up, {len(loaded)} rules, {len(exprs)} queries, {len(wanted)} metrics"


def the_watch_has_checked_the_books(asking: Asking) -> str:
    """A round of it is over, and nothing is broken."""
    until(
        lambda: bool(asking.series("florin_watch_completed_timestamp_seconds > 0")),
        within_s=WATCHED_WITHIN_S,
        what="a round of the watch",
    )
    checks = asking.series("florin_invariant_broken")
    broken = [one["metric"]["check"] for one in checks if one["value"][1] != "0"]
    if broken or not checks:
        raise Failed(f"the watch, of {len(checks)} checks, finds broken: {broken}")
    return f"{len(checks)} checks, none broken"


def no_alert_is_raised(asking: Asking) -> str:
    """A healthy stack is silent: no alert fires, and none waits to. What the start raised has gone."""
    raised: list[str] = []

    def silent() -> bool:
        raised[:] = sorted({one["metric"]["alertname"] for one in asking.series("ALERTS")} - {ALWAYS})
        return not raised

    try:
        until(silent, within_s=SILENT_WITHIN_S, what="silence")
    except Failed:
        raise Failed(f"raised on a healthy stack: {', '.join(raised)}") from None
    until(lambda: bool(asking.notices("firing", ALWAYS)), within_s=SILENT_WITHIN_S, what="the heartbeat")
    if {one["receiver"] for one in asking.notices("firing", ALWAYS)} != {"heartbeat"}:
        raise Failed("the heartbeat went to people")
    return f"none of {len(alerts())} but the heartbeat"


def an_alert_reaches_the_pager_and_ends(asking: Asking) -> str:
    """The fraud worker is stopped, as the rules are deployed: someone is paged, and told when it is over."""
    asking.project.compose("stop", "fraud-worker")
    began = time.monotonic()
    waiting = _pay(asking)["id"]
    until(lambda: bool(asking.notices("firing", "QueueAge")), within_s=FIRES_WITHIN_S, what="QueueAge")
    fired_s = time.monotonic() - began
    (notice, *_) = asking.notices("firing", "QueueAge")
    if notice["receiver"] != "pager" or notice["labels"]["consumer"] != "fraud":
        raise Failed(f"told to {notice['receiver']}: {notice['labels']}")
    asking.project.compose("start", "fraud-worker")
    began = time.monotonic()
    until(lambda: bool(asking.notices("resolved", "QueueAge")), within_s=ENDS_WITHIN_S, what="its end")
    ended_s = time.monotonic() - began
    if (status := asking.payments(f"/{waiting}")["status"]) != "SETTLED":
        raise Failed(f"the payment that waited is {status}")
    return f"paged after {fired_s:.0f} s, over {ended_s:.0f} s after the restart"


def grafana_shows_the_dashboards(asking: Asking) -> str:
    """All of them were provisioned, by its own API."""
    project = asking.project
    password = project.compose("exec", "-T", "grafana", "cat", "/run/florin/secrets/password").strip()
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    address = f"http://127.0.0.1:{project.port('FLORIN_GRAFANA_PORT')}/api/search?type=dash-db&limit=100"
    request = urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})
    wanted = {json.loads(text)["uid"] for text in dashboards.files().values()}

    def shown() -> bool:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return wanted <= {one["uid"] for one in json.load(answer)}
        except OSError:
            return False

    until(shown, within_s=120, what=f"the dashboards {sorted(wanted)}")
    return f"{len(wanted)} dashboards"


def _pay(asking: Asking, **headers: str) -> Mapping[str, Any]:
    debtor, creditor = PAYS
    body = {"debtor": debtor, "creditor": creditor, "amount_minor": 1, "currency": "EUR"}
    return asking.payments(body=body, **headers)
