"""HTTP/1.1 off the socket, with what uvicorn leaves out: a deadline and a size for the head of a request.

A client that sends its headers a byte a minute, or without end, would otherwise hold a connection and memory.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_TIMEOUT_S = 10.0
HEAD_BYTES = 64 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol; refuses a head that is late (408), too large (431) or no HTTP (400) as a
    problem."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(
                431, "headers_too_large", "The request has too large headers. Send fewer or smaller ones."
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._cancel_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "bad_request", "The request is not valid HTTP/1.1. Check its syntax.")

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_too_late)

    def _head_too_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(408, "head_timeout", "The request's headers did not arrive in time. Send it again.")

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, code: str, detail: str) -> None:
        title = STATUS_LINE[status].split(b" ", 2)[2].strip().decode()
        problem: dict[str, Any] = {
            "type": f"urn:florin:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
            "errors": [],
            "trace_id": None,
        }
        body = orjson.dumps(problem)
        head = [
            STATUS_LINE[status],
            b"content-type: application/problem+json\r\nconnection: close\r\n",
            b"content-length: %d\r\n\r\n" % len(body),
        ]
        # An answer already begun cannot be taken back; closing is all that is left to say.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(b"".join([*head, body]))
        self.transport.close()
