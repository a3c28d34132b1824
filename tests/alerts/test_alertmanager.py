"""Alertmanager by its own programs: it takes its configuration, and tells each alert to whom it is for."""

import json
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from florin.ports import HOST
from testkit.waiting import eventually

from .rules import ROOT, alerts, program

DEPLOYED = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
# A secret's address in a file is known from 0.26 on; Debian's may be older.
KNOWS_URL_FILE = (0, 26)
RECEIVER_OF = {"page": "pager", "ticket": "tickets", "heartbeat": "heartbeat"}
Labels = Mapping[str, str]


def labels_of(name: str, **more: str) -> dict[str, str]:
    """The labels that Prometheus sends with this alert, and those of what it is about."""
    (rule,) = (one for one in alerts() if one.alert == name)
    return {"alertname": name, **rule.labels, **more}


def configuration(folder: Path, url: str = "http://127.0.0.1:9/{receiver}") -> Path:
    """The deployed one, with these receivers' addresses in place of their files."""
    text = DEPLOYED.read_text()
    written, replaced = re.subn(
        r"url_file: /run/secrets/alertmanager_([a-z]+)_url",
        lambda match: f"url: {url.format(receiver=match.group(1))}",
        text,
    )
    assert replaced == len(RECEIVER_OF)
    file = folder / "alertmanager.yml"
    file.write_text(written)
    return file


def amtool(*arguments: str) -> str:
    done = subprocess.run([program("amtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def version() -> tuple[int, ...]:
    told = subprocess.run([program("amtool"), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)\.(\d+)", told.stdout + told.stderr)
    assert found is not None
    return tuple(int(part) for part in found.groups())


def test_it_takes_its_configuration(tmp_path: Path) -> None:
    amtool("check-config", str(DEPLOYED if version() >= KNOWS_URL_FILE else configuration(tmp_path)))


def test_every_alert_goes_to_whom_its_severity_says(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    for rule in alerts():
        wanted = RECEIVER_OF[rule.labels["severity"]]
        labels = [f"{name}={value}" for name, value in labels_of(str(rule.alert)).items()]
        found = amtool(
            "config", "routes", "test", f"--config.file={file}", f"--verify.receivers={wanted}", *labels
        )
        assert found.split() == [wanted], rule.alert


@dataclass
class Running:
    """An Alertmanager by the deployed configuration, and what its receivers were told."""

    port: int
    told: list[tuple[str, Labels, str]] = field(default_factory=list)

    def ask(self, path: str, body: Any = None) -> Any:
        """What its API answers."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def fire(self, *alerting: Labels) -> None:
        """As Prometheus sends them."""
        self.ask("/api/v2/alerts", [{"labels": dict(labels)} for labels in alerting])

    def held_back(self) -> set[str]:
        """The alerts that another one silences now."""
        return {
            one["labels"]["alertname"] for one in self.ask("/api/v2/alerts") if one["status"]["inhibitedBy"]
        }

    def receivers_of(self, name: str) -> set[str]:
        """Who was told that this alert fires."""
        return {who for who, labels, status in self.told if (labels["alertname"], status) == (name, "firing")}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Nothing is waited for but a second in which alerts that belong together come together."""
    alertmanager = program("prometheus-alertmanager")
    with closing(socket.create_server((HOST, 0))) as reserved:
        own = Running(reserved.getsockname()[1])

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            own.told += [(self.path.strip("/"), one["labels"], one["status"]) for one in told["alerts"]]
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: what was told is kept."""

    receivers = ThreadingHTTPServer((HOST, 0), Receiver)
    listening = threading.Thread(target=receivers.serve_forever)
    listening.start()
    file = configuration(tmp_path, f"http://{HOST}:{receivers.server_port}/{{receiver}}")
    file.write_text(re.sub(r"group_wait: \w+", "group_wait: 1s", file.read_text()))
    command = [
        alertmanager,
        f"--config.file={file}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={HOST}:{own.port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield own
    finally:
        process.terminate()
        process.wait(20)
        receivers.shutdown()
        listening.join(20)
        receivers.server_close()


async def ready(running: Running) -> None:
    def answers() -> bool:
        with suppress(OSError, urllib.error.URLError):
            return bool(running.ask("/api/v2/status"))
        return False

    await eventually(answers, timeout_s=30)


@pytest.mark.slow
async def test_a_page_wakes_a_ticket_waits_and_the_heartbeat_goes_out(running: Running) -> None:
    await ready(running)
    running.fire(
        labels_of("InvariantBroken", check="sums"),
        labels_of("ParkedEvents", app="account"),
        labels_of("Heartbeat"),
    )
    expected = {"InvariantBroken": {"pager"}, "ParkedEvents": {"tickets"}, "Heartbeat": {"heartbeat"}}
    await eventually(
        lambda: {name: running.receivers_of(name) for name in expected} == expected, timeout_s=30
    )


@pytest.mark.slow
async def test_the_cause_is_told_and_not_what_follows_from_it(running: Running) -> None:
    """With the database down nobody is told that queues grow; a forged frame is told all the same."""
    await ready(running)
    follows = [
        labels_of("OutboxAge", app="account"),
        labels_of("PaymentsStuckPending"),
        labels_of("SettlementBudgetBurns"),
    ]
    running.fire(
        labels_of("DatabaseDown", app="account"), *follows, labels_of("QuarantinedFrames", app="account")
    )
    await eventually(
        lambda: running.receivers_of("DatabaseDown") and running.receivers_of("QuarantinedFrames"),
        timeout_s=30,
    )
    assert running.held_back() == {labels["alertname"] for labels in follows}
    assert {name for _, labels, _ in running.told for name in [labels["alertname"]]} == {
        "DatabaseDown",
        "QuarantinedFrames",
    }


@pytest.mark.slow
async def test_a_page_holds_back_the_ticket_of_the_same_objective_alone(running: Running) -> None:
    await ready(running)
    running.fire(
        labels_of("AvailabilityBudgetBurns", service="account"),
        labels_of("AvailabilityBudgetSmoulders", service="account"),
        labels_of("NotificationBudgetSmoulders"),
    )
    await eventually(lambda: running.receivers_of("NotificationBudgetSmoulders") == {"tickets"}, timeout_s=30)
    assert running.held_back() == {"AvailabilityBudgetSmoulders"}
