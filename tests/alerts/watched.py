"""A whole stack with the continuous verifier, and a Prometheus that watches it by the deployed rules."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from florin.ports import HOST
from florin.provision import AUDITOR
from florin.services import PROCESSES
from florin.stack import Stack
from testkit.backing import Backing
from testkit.stacks import own_stack

from .rules import DEPLOY, RULES, program

_STOP_S = 20


@dataclass(frozen=True)
class Watched:
    """The stack, and what Prometheus says of it."""

    stack: Stack
    port: int

    def ask(self, path: str, **query: str) -> Any:
        """The `data` of an answer of Prometheus' API."""
        url = f"http://{HOST}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def firing(self) -> set[str]:
        """The alerts that fire now, as `QueueAge fraud`: by name and what they are about."""
        return {
            " ".join(
                [
                    one["labels"]["alertname"],
                    *filter(None, [one["labels"].get(k) for k in ("app", "consumer")]),
                ]
            )
            for one in self.ask("alerts")["alerts"]
            if one["state"] == "firing"
        }


@contextlib.contextmanager
def watched_stack(backing: Backing) -> Iterator[Watched]:
    """Runs it all until the end of the block."""
    prometheus = program("prometheus")
    with own_stack(backing) as stack, contextlib.ExitStack() as closing:
        port = stack.ports.base + 111
        folder = stack.run_dir / "prometheus"
        folder.mkdir()
        (folder / "rules.yml").write_text(_shortened())
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(stack, folder)))
        environment = os.environ | {
            "FLORIN_DATABASE_URL": stack.surroundings.role_url(AUDITOR),
            "FLORIN_INTERNAL_HOST": HOST,
            "FLORIN_INTERNAL_PORT": str(stack.ports.watch),
            "FLORIN_WATCH_INTERVAL_S": "2",
        }
        closing.enter_context(_running([sys.executable, "-m", "florin", "watch"], folder, env=environment))
        command = [
            prometheus,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{port}",
        ]
        closing.enter_context(_running(command, folder))
        yield Watched(stack, port)


@contextlib.contextmanager
def _running(command: list[str], folder: Path, **more: Any) -> Iterator[None]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **more)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_S)


def _configuration(stack: Stack, folder: Path) -> dict[str, Any]:
    """The deployed scrape jobs, at this machine's ports and every second."""
    deployed = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in deployed["scrape_configs"]}
    processes = {name: stack.ports.internal(name) for name in PROCESSES} | {"watch": stack.ports.watch}
    rabbitmq = [{"targets": [f"{HOST}:{stack.ports.amqp_prometheus}"], "labels": {"app": "rabbitmq"}}]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": [
            {
                "job_name": "florin",
                "static_configs": [
                    {"targets": [f"{HOST}:{port}"], "labels": {"app": name, "role": "all"}}
                    for name, port in processes.items()
                ],
            },
            jobs["rabbitmq"] | {"static_configs": rabbitmq},
            jobs["rabbitmq-queues"] | {"static_configs": rabbitmq},
        ],
    }


def _shortened() -> str:
    """The deployed rules with nothing waited for and a few seconds in place of every window."""
    groups = []
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                rule.pop("for", None)
                rule["expr"] = re.sub(r"\[\d+[smhd]\]", "[10s]", rule["expr"])
            groups.append(group)
    return str(yaml.safe_dump({"groups": groups}))
