"""Waiting for a payment's end, for callers that ask to (`Prefer: wait`, RFC 7240).

What this process commits it tells at once. The end may be recorded by any process, so it is also looked for
in the database: one query for all who wait, some twenty times a second.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

import structlog
from messaging.waiting import wait_for_event
from service_kit.database import Database, is_outage
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import TERMINAL, End, Status
from transaction_service.persistence.payments import take_ends
from transaction_service.persistence.reading import ends_of

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
        self._waiting: dict[UUID, dict[asyncio.Future[End | None], frozenset[Status]]] = defaultdict(dict)
        self._anyone = asyncio.Event()
        self._stopping = asyncio.Event()

    async def wait(
        self, payment_id: UUID, *, timeout_s: float, until: frozenset[Status] = TERMINAL
    ) -> End | None:
        """Return where the payment stands once that is one of `until`, all of which are `RESTING`; None when
        `timeout_s` have passed first."""
        if self._stopping.is_set():
            return None
        future: asyncio.Future[End | None] = asyncio.get_running_loop().create_future()
        self._waiting[payment_id][future] = until
        self._anyone.set()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            self._forget(payment_id, future)

    def tell_committed(self, connection: AsyncConnection) -> None:
        """To be called after each commit: tell those who wait for what the transaction has ended."""
        ends = take_ends(connection)
        if self._waiting:
            self._tell(ends)

    def stop(self) -> None:
        """Let every waiter go with what is known."""
        self._stopping.set()
        self._anyone.set()
        for future in [future for futures in self._waiting.values() for future in futures]:
            _answer(future, None)

    async def run(self) -> None:
        """Look while anyone waits; rest while no one does."""
        while not self._stopping.is_set():
            await self._anyone.wait()
            if not self._waiting:
                self._anyone.clear()
                continue
            try:
                await self._look()
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.debug("finality_watch_waits", error=type(error).__name__)
            await wait_for_event(self._stopping, _POLL_INTERVAL_S)

    async def _look(self) -> None:
        async with self._database.snapshot() as connection:
            ends = await ends_of(connection, list(self._waiting)[:_MAX_IDS])
        self._tell(ends)

    def _tell(self, ends: Mapping[UUID, End]) -> None:
        for payment_id, end in ends.items():
            for future, until in self._waiting.get(payment_id, {}).items():
                if end.status in until:
                    _answer(future, end)

    def _forget(self, payment_id: UUID, future: asyncio.Future[End | None]) -> None:
        futures = self._waiting.get(payment_id)
        if futures is not None:
            futures.pop(future, None)
            if not futures:
                del self._waiting[payment_id]


def _answer(future: asyncio.Future[End | None], end: End | None) -> None:
    if not future.done():
        future.set_result(end)
