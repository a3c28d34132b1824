"""What a worker does by the clock and not by a message: keep gauges true, drop counters nobody can reach."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
from messaging.failures import is_infrastructure
from messaging.waiting import wait_for_event
from service_kit.clock import Clock
from service_kit.telemetry import gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.operations.read_reviews import count_open_reviews
from fraud_service.operations.trim_velocity import TRIM_LIMIT, trim_velocity

_INTERVAL_S = 30.0
# One round trims this often at most; what is left waits for the next.
_TRIMS_PER_ROUND = 20

_OPEN_REVIEWS = gauge("fraud_open_reviews", "Payments that wait for a person's decision")

_log = structlog.stdlib.get_logger(__name__)


class Upkeep:
    """Runs until stopped. An outage of the database is waited out."""

    def __init__(
        self, *, transaction: Callable[[], AbstractAsyncContextManager[AsyncConnection]], clock: Clock
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Take no further round."""
        self._stopped.set()

    async def run(self) -> None:
        """One round now and then."""
        while True:
            try:
                await self.round()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                _log.debug("upkeep_waits", error=type(error).__name__)
            if await wait_for_event(self._stopped, _INTERVAL_S):
                return

    async def round(self) -> None:
        """Measure and trim once."""
        async with self._transaction() as connection:
            _OPEN_REVIEWS.set(await count_open_reviews(connection))
        for _ in range(_TRIMS_PER_ROUND):
            async with self._transaction() as connection:
                if await trim_velocity(connection, clock=self._clock) < TRIM_LIMIT:
                    return
