"""Publishes frames: persistent, mandatory, confirmed. What is not confirmed counts as not sent."""

import asyncio
import time
from enum import Enum, auto

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from messaging import broker, metrics
from messaging.frame import Frame
from messaging.topology import Topology

CONFIRM_TIMEOUT_S = 10.0


class Receipt(Enum):
    """What the broker said of one frame."""

    CONFIRMED = auto()
    REFUSED = auto()  # returned as unroutable, or nacked: this frame's fault or its queue's
    UNKNOWN = auto()  # no answer: it may have arrived


class Publisher:
    """One connection and channel, opened when first needed and again after each failure."""

    def __init__(self, url: str, topology: Topology, *, name: str) -> None:
        self._url = url
        self._topology = topology
        self._name = name
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    async def open(self) -> None:
        """Make sure that there is a live channel; raise `BrokerUnavailable`."""
        if self._channel is not None and not self._channel.is_closed:
            return
        await self.close()
        self._connection = await broker.connect(self._url, name=self._name)
        self._channel = await broker.channel_of(self._connection)
        self._exchange = await self._channel.get_exchange(self._topology.exchange, ensure=False)

    async def publish(self, frame: Frame) -> Receipt:
        """Send one frame and wait for the broker's word. Many may wait at once on the one channel."""
        if self._exchange is None:
            return Receipt.UNKNOWN
        message = Message(
            frame.body,
            content_type=frame.content_type,
            message_id=frame.id,
            delivery_mode=DeliveryMode.PERSISTENT,
            headers={
                "florin-key-id": frame.key_id,
                "florin-issued-at": frame.issued_at,
                "florin-signature": frame.signature,
            },
        )
        started = time.perf_counter()
        try:
            answer = await self._exchange.publish(
                message, frame.routing_key, mandatory=True, timeout=CONFIRM_TIMEOUT_S
            )
        except PublishError:
            metrics.RELAY_FAILED.labels("unroutable").inc()
            return Receipt.REFUSED
        except DeliveryError:
            metrics.RELAY_FAILED.labels("nacked").inc()
            return Receipt.REFUSED
        except (*broker.BROKER_ERRORS, asyncio.CancelledError):
            if broker.was_cancelled():
                raise
            metrics.RELAY_FAILED.labels("unconfirmed").inc()
            return Receipt.UNKNOWN
        if not isinstance(answer, Basic.Ack):
            metrics.RELAY_FAILED.labels("unconfirmed").inc()
            return Receipt.UNKNOWN
        metrics.RELAY_CONFIRM_SECONDS.observe(time.perf_counter() - started)
        return Receipt.CONFIRMED

    async def close(self) -> None:
        """Drop the connection, whatever state it is in."""
        connection, channel = self._connection, self._channel
        self._connection = self._channel = self._exchange = None
        if connection is not None:
            await broker.close_quietly(connection, channel)
