"""The load's process against a server that answers as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from florin.ports import HOST

from .generator import Load
from .plan import Plan

ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"


async def _read(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


@asynccontextmanager
async def server(*, slow: int = -1, slow_s: float = 0.0, hang_up_after: int = 0) -> AsyncIterator[int]:
    """Answers 202; request number `slow` after `slow_s`, during which it answers nobody else either."""
    served = 0
    free = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        try:
            while True:
                await _read(reader)
                async with free:
                    served += 1
                    if served == hang_up_after:
                        break
                    if served == slow:
                        await asyncio.sleep(slow_s)
                writer.write(ACCEPTED)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, HOST, 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_closed_loop_sends_as_many_as_planned() -> None:
    async with server() as port:
        seen = await Load(Plan(port, "key", "n", requests=50, connections=5, seconds=30)).run()
    assert seen.codes == {"202": seen.requests}
    assert seen.requests == 50
    assert len(seen.latencies_ms) == 50


async def test_a_stall_counts_against_every_request_that_was_due_meanwhile() -> None:
    """Coordinated omission: a load that waited would have seen one slow answer of hundreds."""
    async with server(slow=20, slow_s=0.4) as port:
        plan = Plan(port, "key", "n", mode="open", seconds=1, rate=300, connections=2)
        seen = await Load(plan).run()
    delayed = [took for took in seen.latencies_ms if took > 50]
    assert len(delayed) > 50
    assert max(delayed) == pytest.approx(400, abs=150)


async def test_a_request_whose_connection_was_closed_is_sent_again() -> None:
    async with server(hang_up_after=10) as port:
        plan = Plan(port, "key", "n", mode="open", seconds=0.5, rate=100, connections=2)
        seen = await Load(plan).run()
    assert seen.resent == 1
    assert seen.codes == {"202": seen.requests}


async def test_a_timeout_told_to_an_idle_connection_answers_no_request() -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 2\r\n\r\n{}"
    greeted = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        greeted += 1
        with contextlib.suppress(OSError, EOFError):
            if greeted <= 3:
                writer.write(late)
            else:
                while True:
                    await _read(reader)
                    writer.write(ACCEPTED)
        writer.close()

    listening = await asyncio.start_server(serve, HOST, 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        seen = await Load(Plan(port, "key", "n", mode="open", seconds=0.5, rate=100, connections=3)).run()
    assert seen.codes == {"202": seen.requests}
