"""Stands at the far end in `make compose-test`: keeps the spans and alerts that it is sent, and tells them.

Run on its own in a container of the project. Its ports are those of what it stands in for: 4318 takes OTLP
over HTTP (a collector), 3200 answers /api/traces/<id> (Tempo), 8888 answers /metrics (a collector's own),
8000 takes Alertmanager's webhooks, each by the path that it was posted to, and answers GET with all of them.
"""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

OTLP, TRACES, METRICS, ALERTS = 4318, 3200, 8888, 8000
kept = threading.Lock()
batches_by_trace: dict[str, list[dict[str, Any]]] = defaultdict(list)
alerts: list[dict[str, Any]] = []


def keep_spans(body: bytes) -> None:
    """Each resource's spans, with each trace that they are of."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        batch = MessageToDict(resource)
        traces = {span.trace_id.hex() for scope in resource.scope_spans for span in scope.spans}
        with kept:
            for trace in traces:
                batches_by_trace[trace].append(batch)


def keep_alerts(receiver: str, body: bytes) -> None:
    """One notice of Alertmanager, with whom it was for."""
    with kept:
        alerts.append({"receiver": receiver, **json.loads(body)})


def told(port: int, path: str) -> bytes:
    """What a GET is answered."""
    with kept:
        if port == TRACES:
            return json.dumps({"batches": batches_by_trace[path.rpartition("/")[2]]}).encode()
        if port == ALERTS:
            return json.dumps(alerts).encode()
    return b"otelcol_receiver_accepted_spans 0\n"


class Handler(BaseHTTPRequestHandler):
    """One request, on whichever port."""

    server: ThreadingHTTPServer

    @property
    def port(self) -> int:
        return self.server.server_port

    def do_POST(self) -> None:
        """Keep what is sent."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.port == OTLP:
            keep_spans(body)
        elif self.port == ALERTS:
            keep_alerts(self.path.strip("/"), body)
        self._answer(b"")

    def do_GET(self) -> None:
        """Tell what was kept."""
        self._answer(told(self.port, self.path))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain" if self.port == METRICS else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    servers = [ThreadingHTTPServer(("", port), Handler) for port in (OTLP, TRACES, METRICS, ALERTS)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()
