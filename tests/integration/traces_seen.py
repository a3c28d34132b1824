"""Where the services' traces go in a test: an OTLP receiver that keeps what it is sent, byte for byte."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class SeenSpan:
    """One span as it was exported; ids in hex, attributes as text."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    attributes: dict[str, str]


def spans_in(bodies: Sequence[bytes]) -> list[SeenSpan]:
    """Every span that has been exported so far."""
    found = []
    for body in list(bodies):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                found += [_seen(named["service.name"], span) for span in scope.spans]
    return found


def tree_of(spans: Sequence[SeenSpan], trace_id: str) -> list[str]:
    """A trace's spans, each as `name · service` below its parent and indented by its depth; siblings by
    name. A span whose parent was not exported stands at the left."""
    mine = [span for span in spans if span.trace_id == trace_id]
    known = {span.span_id for span in mine}
    children: dict[str, list[SeenSpan]] = defaultdict(list)
    for span in sorted(mine, key=lambda span: span.name):
        children[span.parent_id if span.parent_id in known else ""].append(span)

    def lines(parent: str, depth: int) -> Iterator[str]:
        for span in children[parent]:
            yield f"{'  ' * depth}{span.name} · {span.service}"
            yield from lines(span.span_id, depth + 1)

    return list(lines("", 0))


def _seen(service: str, span: Any) -> SeenSpan:
    return SeenSpan(
        service=service,
        name=span.name,
        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple(link.trace_id.hex() for link in span.links),
        attributes={a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes},
    )


class _Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.bodies: list[bytes] = []


class _Take(BaseHTTPRequestHandler):
    server: _Collector

    def do_POST(self) -> None:
        """Keep one batch of spans."""
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collecting_traces() -> Iterator[tuple[str, list[bytes]]]:
    """The address to export to, and what has been exported."""
    collector = _Collector()
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{collector.server_port}", collector.bodies
    finally:
        collector.shutdown()
        thread.join(10)
        collector.server_close()
