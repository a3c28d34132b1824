"""HTTP/1.1 as a cheap client speaks it: kept connections, bounded waits, and failures told apart.

The load must not take the two cores it shares with what it loads: a general client costs several times this.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import orjson
from florin.ports import HOST

TIMEOUT_S = 10.0
_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `status` 0: nothing did, and `error` says why: refused, reset or timeout."""

    status: int
    body: Any = None
    error: str | None = None
    replayed: bool = False


class Caller:
    """Calls one service as one client. Connections are kept and taken anew after any failure."""

    def __init__(self, port: int, *, api_key: str, timeout_s: float = TIMEOUT_S) -> None:
        self._port = port
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: Any, *, key: str, wait_s: int = 0) -> Reply:
        """POST with an idempotency key; `wait_s` asks the service to answer when the payment is final."""
        content = orjson.dumps(body)
        prefer = f"Prefer: wait={wait_s}\r\n" if wait_s else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {self._api_key}\r\n{prefer}"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return await self._call(head.encode() + content, self._timeout_s + wait_s)

    async def get(self, path: str) -> Reply:
        """GET."""
        head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {self._api_key}\r\n\r\n"
        return await self._call(head.encode(), self._timeout_s)

    def close(self) -> None:
        """Drops the kept connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _call(self, request: bytes, timeout_s: float) -> Reply:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    reader, writer = await self._connection()
                except OSError:
                    return Reply(0, error="refused")
                writer.write(request)
                reply, keep = await _read(reader)
        except TimeoutError:
            reply, keep = Reply(0, error="timeout"), False
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            reply, keep = Reply(0, error="reset"), False
        except BaseException:
            if writer is not None:
                writer.close()
            raise
        if writer is not None:
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            with contextlib.suppress(OSError):
                writer.close()
        return await asyncio.open_connection(HOST, self._port, limit=_LIMIT)


async def _read(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """One answer, and whether the connection may be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    length = 0
    keep = True
    replayed = False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
        elif name == b"connection":
            keep = b"close" not in value
        elif name == b"idempotency-replayed":
            replayed = b"true" in value
        elif name == b"transfer-encoding":
            raise ValueError("the services tell the length of their answers")
    content = await reader.readexactly(length) if length else b""
    return Reply(status, orjson.loads(content) if content else None, replayed=replayed), keep
