"""Connections to the broker. Not the self-healing kind: whoever uses one watches it end and starts anew.

A relay or consumer owns its connection, because a memory or disk alarm blocks a publishing connection and
must not stop deliveries and acknowledgements with it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from messaging.failures import BrokerUnavailable

_log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
_HEARTBEAT_S = 15

# What a broker that is away, closing or confused raises, wherever it is touched.
BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


async def connect(url: str, *, name: str) -> AbstractConnection:
    """Open a connection shown as `name` in the broker's listings; raise `BrokerUnavailable`."""
    separator = "&" if "?" in url else "?"
    with_heartbeat = url if "heartbeat=" in url else f"{url}{separator}heartbeat={_HEARTBEAT_S}"
    try:
        return await aio_pika.connect(
            with_heartbeat, timeout=CONNECT_TIMEOUT_S, client_properties={"connection_name": name}
        )
    except (*BROKER_ERRORS, EOFError, StopAsyncIteration, asyncio.CancelledError) as error:
        # A broker that dies while it greets, or whatever stands before it and finds it gone, ends the
        # connection in the middle of the handshake, for which the library has these.
        if was_cancelled():
            raise
        # The text of the error may hold the URL and its password: name the kind of failure only.
        raise BrokerUnavailable(f"cannot connect to the broker: {type(error).__name__}") from error


async def channel_of(connection: AbstractConnection) -> AbstractChannel:
    """Open a confirming channel within a bounded time; raise `BrokerUnavailable`."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await connection.channel(publisher_confirms=True, on_return_raises=True)
    except (*BROKER_ERRORS, RuntimeError) as error:
        # The library answers a connection that has just been lost with a bare RuntimeError.
        raise BrokerUnavailable(f"cannot open a channel: {type(error).__name__}") from error


def was_cancelled() -> bool:
    """Whether the current task is being cancelled, and not just given a future that the library dropped."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def open_channel(url: str, *, name: str) -> AsyncIterator[AbstractChannel]:
    """Give a channel on a connection of its own, for administration; closes both."""
    connection = await connect(url, name=name)
    channel = None
    try:
        channel = await channel_of(connection)
        yield channel
    finally:
        await close_quietly(connection, channel)


async def close_quietly(connection: AbstractConnection, channel: AbstractChannel | None = None) -> None:
    """Close within a bounded time. A connection that cannot say goodbye is dropped all the same.

    The channel is closed for itself: left to the connection, the library finishes it in a task of its own
    that may outlive the loop.
    """
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            if channel is not None and not channel.is_closed:
                await channel.close()
            await connection.close()
    except BROKER_ERRORS as error:
        _log.debug("broker_close_failed", error=type(error).__name__)
