"""Takes deliveries from the service's queue in batches, has them processed, then acknowledges.

Nothing is acknowledged before its effect is committed. While the database is away the batch is held, not
requeued: every return to the queue counts against the broker's delivery limit.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import structlog
from aio_pika.abc import AbstractChannel as AbstractOwningChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from messaging import broker, metrics
from messaging.failures import BrokerUnavailable, TopologyMissing, is_infrastructure
from messaging.frame import Frame
from messaging.processor import Processor
from messaging.waiting import back_off_s, wait_for_event

# Frames of up to 200 events each: enough to fill a batch while one is being processed, small enough that
# another worker gets its share of a backlog.
PREFETCH_FRAMES = 32
_MAX_BATCH_FRAMES = 16
_MAX_BATCH_BYTES = 2 * 1024 * 1024
# With nothing delivered for so long, ask the queue whether it still knows this consumer.
_IDLE_CHECK_S = 15.0
_RPC_TIMEOUT_S = 10.0

_log = structlog.get_logger(__name__)


class _SessionEnded(Exception):
    """The connection, channel, consumer or queue went away; start anew."""


class Probe(Protocol):
    """Returns when the database answers; raises otherwise."""

    def __call__(self) -> Awaitable[None]: ...


class Consumer:
    """Run one with `run()`; `stop()` finishes the batch at hand, acknowledges it and ends."""

    def __init__(self, *, url: str, queue: str, processor: Processor, probe: Probe) -> None:
        self._url = url
        self._queue = queue
        self._processor = processor
        self._probe = probe
        self._stopped = asyncio.Event()
        self._inbound: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._ever_connected = False

    def stop(self) -> None:
        """Take no further batch."""
        self._stopped.set()
        self._inbound.put_nowait(None)

    async def run(self) -> None:
        """Consume until stopped. Raises `TopologyMissing` if the queue does not exist at the start."""
        failures = 0
        while not self._stopped.is_set():
            try:
                await self._probe()
                await self._session()
                failures = 0
            except TopologyMissing:
                if not self._ever_connected:
                    raise
                failures += 1
                _log.error("queue_missing", queue=self._queue)
            except (Exception, asyncio.CancelledError) as error:
                if broker.was_cancelled() or not self._is_outage(error):
                    raise
                failures += 1
                _log.warning(
                    "consumer_waits", failures=failures, error=type(error).__name__, why=str(error)[:200]
                )
            if failures:
                metrics.CONSUMER_WAITING.set(1)
                await wait_for_event(self._stopped, back_off_s(failures))
        metrics.CONSUMER_WAITING.set(0)

    @staticmethod
    def _is_outage(error: BaseException) -> bool:
        known = (_SessionEnded, BrokerUnavailable, asyncio.CancelledError, *broker.BROKER_ERRORS)
        return isinstance(error, known) or is_infrastructure(error)

    async def _session(self) -> None:
        """Consume on one connection until it ends or this consumer is stopped."""
        inbound: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._inbound = inbound
        try:
            connection = await broker.connect(self._url, name=f"{self._queue} consumer")
        except Exception:
            metrics.BROKER_UP.labels("consumer").set(0)
            raise
        owner: AbstractOwningChannel | None = None
        try:
            owner = await broker.channel_of(connection)
            # One level below the library's own queue object, which parses every property of every message
            # and drops, unacknowledged, those that it cannot read.
            channel = await owner.get_underlay_channel()
            await channel.basic_qos(prefetch_count=PREFETCH_FRAMES, timeout=_RPC_TIMEOUT_S)

            async def receive(message: DeliveredMessage) -> None:
                inbound.put_nowait(message)

            def ended(*_: object) -> None:
                inbound.put_nowait(None)

            channel.closing.add_done_callback(ended)
            channel.on_consumer_cancel_callbacks.add(ended)
            try:
                consuming = await channel.basic_consume(self._queue, receive, timeout=_RPC_TIMEOUT_S)
            except ChannelNotFoundEntity as error:
                raise TopologyMissing(
                    f"the broker has no queue {self._queue}: run `florin topology apply`"
                ) from error
            self._ever_connected = True
            metrics.CONSUMER_WAITING.set(0)
            metrics.BROKER_UP.labels("consumer").set(1)
            _log.info("consuming", queue=self._queue)
            await self._take_batches(channel, inbound)
            if self._stopped.is_set():
                assert consuming.consumer_tag is not None
                await channel.basic_cancel(consuming.consumer_tag, timeout=_RPC_TIMEOUT_S)
        finally:
            # What was prefetched and not acknowledged goes back to the queue with the connection.
            await broker.close_quietly(connection, owner)

    async def _take_batches(
        self, channel: AbstractChannel, inbound: asyncio.Queue[DeliveredMessage | None]
    ) -> None:
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(_IDLE_CHECK_S):
                    first = await inbound.get()
            except TimeoutError:
                await self._check_queue(channel, inbound)
                continue
            if first is None:
                break
            batch = [first]
            size = len(first.body)
            while len(batch) < _MAX_BATCH_FRAMES and size < _MAX_BATCH_BYTES and not inbound.empty():
                message = inbound.get_nowait()
                if message is None:
                    inbound.put_nowait(None)
                    break
                batch.append(message)
                size += len(message.body)
            await self._process(channel, [_frame(message) for message in batch])
            last_tag = batch[-1].delivery_tag
            assert last_tag is not None
            # Deliveries are taken in order and each batch is settled whole, so one ack covers it.
            await channel.basic_ack(last_tag, multiple=True)
        if not self._stopped.is_set():
            raise _SessionEnded("the broker closed the channel or cancelled the consumer")

    async def _process(self, channel: AbstractChannel, frames: list[Frame]) -> None:
        """Process, holding the batch through an outage for as long as the broker lets this channel live."""
        failures = 0
        while True:
            try:
                await self._processor.process(frames)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                failures += 1
                metrics.CONSUMER_WAITING.set(1)
                _log.warning("batch_held", failures=failures, error=type(error).__name__)
                if await wait_for_event(self._stopped, back_off_s(failures)) or channel.is_closed:
                    raise _SessionEnded("stopped or disconnected while the database was away") from error
            else:
                if failures:
                    metrics.CONSUMER_WAITING.set(0)
                return

    async def _check_queue(
        self, channel: AbstractChannel, inbound: asyncio.Queue[DeliveredMessage | None]
    ) -> None:
        """After a silence: frames that wait although nothing is in hand mean a lost consumer (or queue)."""
        try:
            declared = await channel.queue_declare(self._queue, passive=True, timeout=_RPC_TIMEOUT_S)
        except ChannelNotFoundEntity as error:
            raise TopologyMissing(f"the broker lost the queue {self._queue}") from error
        waiting = bool(declared.message_count) and inbound.empty()
        if waiting or declared.consumer_count == 0:
            raise _SessionEnded("the broker no longer delivers to this consumer")


def _frame(message: DeliveredMessage) -> Frame:
    """Read a delivery without believing it: whatever is absent or odd becomes an empty text, and fails."""
    properties = message.header.properties
    headers = properties.headers or {}
    deliver = message.delivery
    assert isinstance(deliver, Basic.Deliver)
    return Frame(
        id=properties.message_id or "",
        routing_key=deliver.routing_key or "",
        content_type=properties.content_type or "",
        key_id=_text(headers.get("florin-key-id")),
        issued_at=_text(headers.get("florin-issued-at")),
        signature=_text(headers.get("florin-signature")),
        body=message.body,
    )


def _text(header: object) -> str:
    if isinstance(header, bytes | bytearray):
        return bytes(header).decode("utf-8", "replace")
    return header if isinstance(header, str) else ""
