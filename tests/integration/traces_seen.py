"""Where the services' traces go in a test: an OTLP receiver that keeps what it is sent, byte for byte."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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
        yield f"http://127.0.0.1:{collector.server_port}/v1/traces", collector.bodies
    finally:
        collector.shutdown()
        thread.join(10)
        collector.server_close()
