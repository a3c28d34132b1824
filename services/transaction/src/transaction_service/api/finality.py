"""Waiting for a payment's end, for callers that ask to (`Prefer: wait`, RFC 7240).

The end may be recorded by any process, so it is looked for in the database: one query for all who wait, right
after each commit of this process and a few times a second for what others commit.
"""

import asyncio
import re
from collections import defaultdict
from uuid import UUID

import structlog
from messaging.waiting import wait_for_event
from service_kit.database import Database, is_outage
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.persistence.search import final_among

_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4})(?=$|[,;\s])", re.IGNORECASE)
_POLL_INTERVAL_S = 0.05
_MAX_IDS = 10_000

_log = structlog.get_logger(__name__)


def wait_preference(header: str | None, *, limit_s: int) -> int:
    """Read the seconds of `Prefer: wait=N`, at most `limit_s`; 0 for none. What cannot be read is ignored,
    as the RFC asks."""
    match = _WAIT.search(header) if header else None
    return min(int(match[1]), limit_s) if match else 0


class FinalityWatch:
    """Tells waiters when their payments have reached an end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = defaultdict(set)
        self._anyone = asyncio.Event()
        self._committed = asyncio.Event()
        self._stopped = False

    async def wait(self, payment_id: UUID, *, timeout_s: float) -> bool:
        """Return True once the payment is final, False when `timeout_s` have passed first."""
        if self._stopped:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[payment_id].add(future)
        self._anyone.set()
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return False
        finally:
            self._forget(payment_id, future)
        return not self._stopped

    def nudge(self, _connection: AsyncConnection) -> None:
        """Say that this process has committed something: it may be the end that somebody waits for."""
        if self._waiting:
            self._committed.set()

    def stop(self) -> None:
        """Let every waiter go with what is known."""
        self._stopped = True
        self._anyone.set()
        self._committed.set()
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    async def run(self) -> None:
        """Look while anyone waits; rest while no one does."""
        while not self._stopped:
            await self._anyone.wait()
            if not self._waiting:
                self._anyone.clear()
                continue
            self._committed.clear()
            try:
                await self._look()
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.debug("finality_watch_waits", error=type(error).__name__)
            await wait_for_event(self._committed, _POLL_INTERVAL_S)

    async def _look(self) -> None:
        async with self._database.snapshot() as connection:
            final = await final_among(connection, list(self._waiting)[:_MAX_IDS])
        for payment_id in final:
            for future in self._waiting.get(payment_id, ()):
                if not future.done():
                    future.set_result(None)

    def _forget(self, payment_id: UUID, future: asyncio.Future[None]) -> None:
        futures = self._waiting.get(payment_id)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._waiting[payment_id]
