"""Ends holds by the clock: what was not captured in time is given back within about a second."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
from messaging.failures import is_infrastructure
from messaging.waiting import wait_for_event
from service_kit.clock import Clock
from service_kit.ids import IdFactory, uuid7
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.consumers.posting_requested import HOLDS_ENDED
from account_service.operations.expire_holds import EXPIRY_LIMIT, expire_holds

_INTERVAL_S = 0.5

_EXPIRED = HOLDS_ENDED.labels("expired")

_log = structlog.stdlib.get_logger(__name__)


class HoldExpiry:
    """Runs until stopped, beside any number of others. An outage of the database is waited out."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        clock: Clock,
        new_id: IdFactory = uuid7,
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._new_id = new_id
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Take no further round."""
        self._stopped.set()

    async def run(self) -> None:
        """One round after the other; a pause when there is nothing left to end."""
        while not self._stopped.is_set():
            pause_s = _INTERVAL_S
            try:
                if await self.round() == EXPIRY_LIMIT:
                    pause_s = 0.0
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                _log.warning("expiry_waits", error=type(error).__name__)
            await wait_for_event(self._stopped, pause_s)

    async def round(self) -> int:
        """End what is due, within the bound of one batch; returns how many."""
        async with self._transaction() as connection:
            ended = await expire_holds(connection, clock=self._clock, new_id=self._new_id)
        _EXPIRED.inc(ended)
        return ended
