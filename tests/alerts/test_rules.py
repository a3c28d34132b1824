"""Each alert fires when it should and is silent when it should be, and leads to a page that helps."""

import re
import subprocess
from collections import Counter

import pytest
import yaml
from florin import dashboards

from .rules import DEPLOY, ROOT, RULES, TESTS, alerts, program, promtool_cases

# What a page of the runbooks has to say, in this order.
_PARTS = ("**Symptom.**", "**What it means.**", "**What to look at.**", "**What to do.**")


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.name))
def test_the_rules_do_what_their_cases_say(file: object) -> None:
    """promtool's own unit tests: series in, alerts out."""
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_files_are_such_as_prometheus_reads() -> None:
    promtool = program("promtool")
    for command in (
        ["check", "rules", *map(str, RULES)],
        ["check", "config", "--syntax-only", str(DEPLOY / "prometheus.yml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires, silent = Counter[str](), Counter[str]()
    for case in promtool_cases():
        for check in case["alert_rule_test"]:
            (fires if check["exp_alerts"] else silent)[check["alertname"]] += 1
    names = [str(rule.alert) for rule in alerts()]
    assert len(names) == len(set(names)) > 20
    assert [name for name in names if not fires[name]] == []
    # What always fires is an alarm when it stops.
    assert [name for name in names if not silent[name]] == ["Heartbeat"]


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    """The page exists and has every part."""
    for rule in alerts():
        severities = {"heartbeat"} if rule.alert == "Heartbeat" else {"page", "ticket"}
        assert rule.labels["severity"] in severities, rule.alert
        assert rule.annotations["summary"], rule.alert
        page = ROOT / rule.annotations["runbook_url"]
        text = page.read_text()
        if page.name != "signing-key-rotation.md":
            places = [text.find(part) for part in _PARTS]
            assert places == sorted(places), f"{page.name} lacks a part"
            assert -1 not in places, f"{page.name} lacks a part"


def test_the_list_of_runbooks_leads_from_every_alert_to_its_page_and_the_first_thing_to_do() -> None:
    """In the order of their names, for whoever has just been woken knows nothing else."""
    text = (ROOT / "docs/runbooks/README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| \[[^]]+\]\(([a-z-]+\.md)\) \| (\S.+) \|$", text, re.MULTILINE)
    expected = sorted(
        (str(rule.alert), rule.labels["severity"], rule.annotations["runbook_url"].rpartition("/")[2])
        for rule in alerts()
    )
    assert [(alert, severity, page) for alert, severity, page, _ in rows] == expected


def test_who_is_told_is_told_of_alerts_that_there_are() -> None:
    """Each severity has a receiver, and an alert that is held back by another is one of ours."""
    told = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    receivers = {one["name"] for one in told["receivers"]}
    assert {told["route"]["receiver"], *(one["receiver"] for one in told["route"]["routes"])} == receivers
    names = [str(rule.alert) for rule in alerts()]
    patterns = [
        pattern
        for rule in told["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        for pattern in re.findall(r'^alertname=~?"(.+)"$', matcher)
    ]
    assert len(patterns) >= 4
    for pattern in patterns:
        for one in pattern.split("|"):
            assert any(re.fullmatch(one, name) for name in names), f"there is no alert {one}"


def test_the_dashboards_are_those_of_the_code() -> None:
    """`florin dashboards` writes them."""
    assert dashboards.drifted(dashboards.folder_here()) == []
