"""Gauges that have to be asked for: measured every few seconds beside the work, never on its way."""

import asyncio
from abc import ABC, abstractmethod

import structlog
from messaging.failures import is_infrastructure
from messaging.waiting import wait_for_event

from service_kit.database import Database, is_outage
from service_kit.telemetry import gauge

INTERVAL_S = 5.0

_UP = gauge("database_up", "1 when the database answered when last asked, every few seconds")
_POOL_SIZE = gauge("database_pool_size", "Connections to the database that this process may have")
_POOL_IN_USE = gauge("database_pool_in_use", "Connections to the database that are in use")

_log = structlog.stdlib.get_logger(__name__)


class Measuring(ABC):
    """A component that measures until stopped; an outage of what it asks is waited out."""

    def __init__(self, name: str, *, interval_s: float = INTERVAL_S) -> None:
        self._name = name
        self._interval_s = interval_s
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Measure no more."""
        self._stopped.set()

    async def run(self) -> None:
        """Measure at once, then every few seconds."""
        while True:
            try:
                await self.measure()
            except Exception as error:
                if not (is_infrastructure(error) or is_outage(error)):
                    raise
                _log.debug("measuring_waits", what=self._name, error=type(error).__name__)
            if await wait_for_event(self._stopped, self._interval_s):
                return

    @abstractmethod
    async def measure(self) -> None:
        """Measure once; may raise for an outage."""


class DatabaseGauges(Measuring):
    """Whether the database answers, and how much of the pool is in use."""

    def __init__(self, database: Database, *, pool_size: int) -> None:
        super().__init__("database")
        self._database = database
        _POOL_SIZE.set(pool_size)
        _POOL_IN_USE.set_function(database.pool_in_use)

    async def measure(self) -> None:
        try:
            await self._database.ping()
        except BaseException:
            _UP.set(0)
            raise
        _UP.set(1)
