"""A webhook receiver over a real socket, with knobs for everything that can go wrong at the other end."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came off the socket."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers every request as `behaviour` says; `behaviours` for single paths go before it."""

    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    fault: str | None = None
    faults: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    on_request: Callable[[Received], None] | None = None
    port: int = 0
    scheme: str = "http"
    _release: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await self._read(reader):
                self.requests.append(request)
                if self.on_request is not None:
                    self.on_request(request)
                await self._answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Received | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(path=first.split(" ")[1], headers=headers, body=body)

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.get(request.path, self.fault)
        if fault == "reset":
            writer.transport.abort()
            raise ConnectionError
        if fault == "garbage":
            writer.write(b"this is not HTTP\r\n\r\n")
            await writer.drain()
            raise ConnectionError
        if fault == "silent":
            await self._release.wait()
            raise ConnectionError
        if fault == "endless_head":
            await self._forever(writer, b"HTTP/1.1 100 Continue\r\n\r\n")
        status = self.statuses.pop(0) if self.statuses else self.status
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{k}: {v}" for k, v in self.headers.items())]
        if fault == "endless_body":
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await self._forever(writer, b"x" * 65_536)
        if fault == "trickle":
            writer.write(("\r\n".join([*lines, "content-length: 1000000"]) + "\r\n\r\n").encode())
            writer.write(b"y")
            await writer.drain()
            await self._release.wait()
            raise ConnectionError
        head = "\r\n".join([*lines, f"content-length: {len(self.body)}"]) + "\r\n\r\n"
        writer.write(head.encode() + self.body)
        await writer.drain()

    async def _forever(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        # Bounded all the same, far beyond any deadline of a sender, in case it does not hang up.
        end = asyncio.get_running_loop().time() + 10
        while asyncio.get_running_loop().time() < end:
            writer.write(chunk)
            await writer.drain()
        raise ConnectionError

    def release(self) -> None:
        self._release.set()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.release()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
