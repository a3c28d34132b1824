"""HTTP/1.1 off the socket, with what uvicorn leaves out: bounds and deadlines.

A client that sends a byte a minute, or headers without end, would otherwise hold a connection and memory. The
deadlines live here and not in a middleware, because only here is it known that a request has arrived whole:
one that has (nearly all) never arms a timer.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service_kit.telemetry import counter

REQUEST_TIMEOUT_S = 10.0
HEAD_BYTES = 64 * 1024

_REFUSED = counter(
    "http_refused_on_the_wire", "Connections refused before the application saw them.", ("code",)
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol; refuses what is late (408), too large (431) or no HTTP (400) with a problem."""

    timeout_s = REQUEST_TIMEOUT_S

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(431, "headers_too_large", "The headers are too large. Send fewer or smaller ones.")
        elif self._timer is None and (self._begun or self._nothing_in_progress()):
            # Bytes that begin no request (empty lines) have stopped uvicorn's keep-alive timeout.
            self._arm()

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # The body's own time begins when the head has ended.
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._begun, self._in_head, self._head_bytes = False, True, 0
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "bad_request", "The request is not valid HTTP/1.1. Check its syntax.")

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self.timeout_s, self._too_late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.pipeline:
            # It waits behind an earlier request of its own connection, and is not being read meanwhile.
            self._arm()
        elif self._in_head:
            self._refuse(408, "head_timeout", "The headers did not arrive in time. Send the request again.")
        else:
            self._refuse(408, "body_timeout", "The body did not arrive in time. Send the request again.")

    def _nothing_in_progress(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answers past the application, which then learns that its client is gone."""
        _REFUSED.labels(code).inc()
        # Where an answer is still due to an earlier request, or has begun, this one would be taken for it.
        answering = (
            self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        )
        in_turn = self._begun or self._nothing_in_progress()
        if in_turn and not answering and not self.pipeline:
            self.transport.write(_problem(status, code, detail))
        self.transport.close()


def bounded_protocol(timeout_s: float) -> type[BoundedHttpProtocol]:
    """The protocol with its deadline: so long may a head take, and so long again the body behind it."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"timeout_s": timeout_s})


def _problem(status: int, code: str, detail: str) -> bytes:
    members: dict[str, Any] = {
        "type": f"urn:florin:problem:{code}",
        "title": STATUS_LINE[status].split(b" ", 2)[2].strip().decode(),
        "status": status,
        "code": code,
        "detail": detail,
        "errors": [],
        "trace_id": None,
    }
    body = orjson.dumps(members)
    head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    return STATUS_LINE[status] + head + body
