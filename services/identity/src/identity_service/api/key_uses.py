"""When keys were last used: noted in memory, written down once a minute, never on a request's way."""

import asyncio
from datetime import datetime

import structlog
from service_kit.clock import Clock
from service_kit.database import Database, is_outage

from identity_service.persistence import api_keys

INTERVAL_S = 60.0
# More keys than that are not in use within a minute; what is past it waits for its next use.
_MAX_NOTED = 100_000

_log = structlog.stdlib.get_logger(__name__)


class KeyUses:
    """A component of the process that answers HTTP."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[str, datetime] = {}
        self._stopped = asyncio.Event()

    def note(self, prefix: str) -> None:
        """The key was used just now."""
        if len(self._noted) < _MAX_NOTED or prefix in self._noted:
            self._noted[prefix] = self._clock.now()

    async def run(self) -> None:
        """Writes down what was noted until stopped, and the rest at the end."""
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._stopped.wait()
            except TimeoutError:
                pass
            await self._write_or_keep()

    def stop(self) -> None:
        """Write down what is left, and end."""
        self._stopped.set()

    async def write(self) -> None:
        """Keeps what was noted, in one statement."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            async with self._database.transaction() as connection:
                await api_keys.record_uses(connection, noted)
        except BaseException:
            self._noted = noted | self._noted
            raise

    async def _write_or_keep(self) -> None:
        try:
            await self.write()
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("cannot write down when keys were used", error=type(error).__name__)
