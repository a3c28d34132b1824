"""Whatever the broker's end of the line does while one connects, it is one and the same outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from messaging import broker
from messaging.failures import BrokerUnavailable
from testkit.proxy import Proxy
from testkit.wire import AmqpWire


@asynccontextmanager
async def _listening(greeting: bytes) -> AsyncIterator[str]:
    """A server that says this much and hangs up."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"amqp://nobody:nothing@127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01", id="a byte"),
        pytest.param(b"\x01\x00\x00\x00\x00\x01\xf4\x00\x0a\x00\x0a", id="half a frame"),
        pytest.param(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", id="another protocol"),
    ],
)
async def test_a_broker_that_hangs_up_while_it_greets_is_unavailable(greeting: bytes) -> None:
    async with _listening(greeting) as url:
        with pytest.raises(BrokerUnavailable):
            await broker.connect(url, name="test")


async def test_a_proxy_before_a_broker_that_is_away_is_unavailable(broker_url: str) -> None:
    proxy = Proxy(AmqpWire, 1)
    await proxy.open()
    parts = urlsplit(broker_url)
    with pytest.raises(BrokerUnavailable):
        await broker.connect(f"amqp://{parts.username}:secret@127.0.0.1:{proxy.port}/", name="test")
    await proxy.close()


async def test_a_cancelled_connect_is_cancelled() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silence = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with silence:
        port = silence.sockets[0].getsockname()[1]
        connecting = asyncio.create_task(broker.connect(f"amqp://a:b@127.0.0.1:{port}/", name="test"))
        await asyncio.wait({connecting}, timeout=0.1)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
