"""Asking a running project what it knows of itself."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.compose.project import Failed, Project


@dataclass(frozen=True)
class Asking:
    """What is asked of the project's own Prometheus, payments and sink; `key` is a client's API key."""

    project: Project
    key: str

    def prometheus(self, path: str, **query: str) -> Any:
        """The `data` of an answer of Prometheus' API; raises Failed for an error that it tells."""
        port = self.project.port("FLORIN_PROMETHEUS_PORT")
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=15) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Failed(f"Prometheus on {query}: {error.read().decode()[:300]}") from None
        except OSError:
            # It is still starting, or starts again.
            return {}

    def series(self, expr: str) -> list[dict[str, Any]]:
        """An instant query's series."""
        found: list[dict[str, Any]] = self.prometheus("query", query=expr).get("result", [])
        return found

    def inside(self, url: str) -> Any:
        """What an address of the project's own network answers, as JSON."""
        read = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())"
        return json.loads(self.project.compose("exec", "-T", "sink", "python3", "-c", read, url))

    def notices(self, status: str, alert: str) -> list[Mapping[str, Any]]:
        """What the sink was told of an alert, as `firing` or `resolved`, with its receiver."""
        return [
            {**one, "receiver": notice["receiver"]}
            for notice in self.inside("http://127.0.0.1:8000/")
            for one in notice["alerts"]
            if one["status"] == status and one["labels"]["alertname"] == alert
        ]

    def payments(
        self, path: str = "", *, body: Mapping[str, Any] | None = None, **headers: str
    ) -> Mapping[str, Any]:
        """GET, or POST with a body, at /v1/payments, as the client that the key is of."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.project.port('FLORIN_TRANSACTION_PORT')}/v1/payments{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                "Idempotency-Key": uuid4().hex,
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                told: Mapping[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise Failed(f"/v1/payments{path}: {error.code} {error.read().decode()[:300]}") from None
        return told
