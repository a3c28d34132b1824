"""The delivery worker."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from service_kit.clock import Clock
from service_kit.database import Database, is_outage
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import Answer, AttemptError, Claim, Finished
from notification_service.operations.claim_deliveries import Outgoing, claim_deliveries
from notification_service.operations.record_attempts import record_attempts
from notification_service.operations.sweep_deliveries import sweep_deliveries
from notification_service.outbound.sender import WebhookSender
from notification_service.persistence import deliveries

from . import metrics
from .request import headers_of
from .tracing import attempt_span, tell_answer

BACK_OFF_S: Final = 2.0
RECORD_BATCH: Final = 200

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Bounds of one worker. The lease outlasts an attempt, or two workers would make the same one."""

    concurrency: int = 64
    per_endpoint: int = 8
    lease: timedelta = timedelta(seconds=90)
    poll_s: float = 1.0
    sweep_s: float = 30.0
    stop_s: float = 10.0
    disable_after: timedelta = timedelta(days=5)

    @property
    def probes(self) -> int:
        """At once. Receivers that hang take their time for a probe too: the rest is for those that do not."""
        return max(1, self.concurrency // 4)


class DeliveryWorker:
    """Sends due deliveries until stopped; any number of workers may run beside each other.

    Killed at any instant it loses nothing: what it held is due again when the lease ends, and a receiver that
    already had it sees the same `webhook-id` a second time.
    """

    def __init__(
        self,
        *,
        database: Database,
        sender: WebhookSender,
        limits: WorkerLimits,
        clock: Clock,
        new_id: IdFactory,
        draw: Callable[[], float],
    ) -> None:
        self._database = database
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._draw = draw
        self._sending: dict[asyncio.Task[Finished], Claim] = {}
        self._unrecorded: list[Finished] = []
        self._woken = asyncio.Event()
        self._stopping = False

    def nudge_if_due(self, connection: AsyncConnection) -> None:
        """To be called after each commit: look at once if the transaction made deliveries due."""
        if deliveries.take_due(connection):
            self._woken.set()

    def stop(self) -> None:
        """Claim no more; `run` ends when what is in hand has been sent and recorded."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Claim, send and record until stopped. An outage of the database is waited out."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while not self._stopping:
            # Cleared before the claim: a nudge that comes while it runs must not be lost.
            self._woken.clear()
            try:
                if loop.time() >= sweep_at:
                    await self._sweep()
                    sweep_at = loop.time() + self._limits.sweep_s
                await self._record()
                claimed = await self._claim()
            except Exception as error:
                self._report("webhook_worker_waits", error)
                await self._pause(BACK_OFF_S)
                continue
            # A full claim most likely left some behind: look again as soon as anything is done.
            await self._pause(0.0 if claimed and self._room() else self._limits.poll_s)
        await self._finish()

    async def run_until_idle(self) -> int:
        """Send all that is due at this instant; answers how many attempts that took."""
        attempts = 0
        while True:
            attempts += await self._claim()
            if not self._sending:
                return attempts
            await asyncio.wait(self._sending)
            await self._record()

    async def _claim(self) -> int:
        room = self._room()
        if room <= 0:
            return 0
        in_hand = self._sending.values()
        async with self._database.transaction() as connection:
            claimed = await claim_deliveries(
                connection,
                held=Counter(claim.endpoint_id for claim in in_hand),
                per_endpoint=self._limits.per_endpoint,
                probes=self._limits.probes - sum(claim.probe for claim in in_hand),
                limit=room,
                lease=self._limits.lease,
                clock=self._clock,
                new_id=self._new_id,
            )
        # Outside the transaction from here on: no receiver can hold a database connection.
        for outgoing in claimed:
            task = asyncio.create_task(self._send(outgoing))
            task.add_done_callback(self._sent)
            self._sending[task] = outgoing.claim
        return len(claimed)

    def _room(self) -> int:
        return self._limits.concurrency - len(self._sending) - len(self._unrecorded)

    async def _send(self, outgoing: Outgoing) -> Finished:
        claim = outgoing.claim
        started_at = self._clock.now()
        duration_ms = 0
        try:
            with attempt_span(claim) as (span, traceparent):
                headers = headers_of(outgoing, at=started_at, traceparent=traceparent)
                answer, duration_ms = await self._sender.send(claim.url, headers=headers, body=claim.body)
                tell_answer(span, answer)
        except Exception as error:
            _log.exception(
                "webhook_attempt_fault", delivery_id=str(claim.delivery_id), error=type(error).__name__
            )
            answer = Answer(status_code=None, error=AttemptError.INTERNAL)
        finished = Finished(
            claim=claim,
            started_at=started_at,
            ended_at=self._clock.now(),
            duration_ms=duration_ms,
            answer=answer,
        )
        metrics.count_attempt(finished)
        return finished

    def _sent(self, task: asyncio.Task[Finished]) -> None:
        del self._sending[task]
        if not task.cancelled():
            self._unrecorded.append(task.result())
        self._woken.set()

    async def _record(self) -> None:
        while self._unrecorded:
            batch = self._unrecorded[:RECORD_BATCH]
            async with self._database.transaction() as connection:
                switched_off = await record_attempts(
                    connection,
                    batch,
                    disable_after=self._limits.disable_after,
                    draw=self._draw,
                    new_id=self._new_id,
                )
            # Only now: a batch that could not be committed is recorded at the next turn.
            del self._unrecorded[: len(batch)]
            for endpoint in switched_off:
                metrics.DISABLED.labels(reason=str(endpoint.status_reason)).inc()
                _log.warning(
                    "webhook_endpoint_disabled",
                    endpoint_id=str(endpoint.id),
                    client_id=endpoint.client_id,
                    reason=str(endpoint.status_reason),
                )

    async def _sweep(self) -> None:
        async with self._database.transaction() as connection:
            swept = await sweep_deliveries(connection, clock=self._clock)
        metrics.DUE.set(swept.due)
        metrics.OLDEST_DUE.set(swept.oldest_age.total_seconds())
        metrics.ACTIVE.set(swept.active)
        metrics.CIRCUITS_OPEN.set(swept.open_circuits)
        metrics.HELD_BACK.set(swept.held_back)
        if swept.cancelled or swept.failed:
            _log.info("webhook_deliveries_swept", cancelled=swept.cancelled, failed=swept.failed)

    async def _pause(self, timeout_s: float) -> None:
        if timeout_s <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _finish(self) -> None:
        """Let what is in hand be answered, for a while, and record it; the leases bring back the rest."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=self._limits.stop_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            await self._record()
        except Exception as error:
            self._report("webhook_results_unrecorded", error)

    def _report(self, event: str, error: Exception) -> None:
        if is_outage(error):
            _log.warning(event, error=type(error).__name__)
        else:
            _log.error(event, exc_info=error)
