"""Whether a payment costs more when many are stored: the same load on one database, small and then large."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from florin.provision import provision, url_for
from florin.running import Services

from . import filling
from .bench import Bench, Measured

DATABASE = "florin_grown"
SMALL = 10_000
# Bulk, because it leaves the least to anything but the database.
REQUESTS = 50
WARM_UP_REQUESTS = 6
LONGEST_S = 60.0


class Growth:
    """A second database on the same server, on which the same services run for a while."""

    def __init__(self, bench: Bench, *, stored: int, batch: int, connections: int) -> None:
        self._bench = bench
        self._stored = stored
        self._batch = batch
        self._connections = connections
        admin_url = bench.stack.surroundings.database_admin_url
        self._url = url_for(admin_url, database=DATABASE)
        self._surroundings = replace(bench.stack.surroundings, database=DATABASE)
        self._small: Measured | None = None

    async def small(self) -> None:
        """Makes the database, with 10,000 payments, and measures."""
        credentials = self._surroundings.credentials
        admin_url = self._surroundings.database_admin_url
        await provision(admin_url, passwords=credentials.roles, database=DATABASE)
        await asyncio.to_thread(Services(self._surroundings).migrate)
        async with self._services() as bench:
            await bench.open_accounts()
            await filling.fill(self._url, first=1, last=SMALL)
            self._small = await self._cost(bench, "10k")

    async def fill(self) -> None:
        """Adds the payments up to the large number."""
        await filling.fill(self._url, first=SMALL + 1, last=self._stored)

    async def large(self) -> dict[str, Any]:
        """Measures again, and says how much dearer a payment has become."""
        assert self._small is not None, "measured before"
        async with self._services() as bench:
            small, large = self._small, await self._cost(bench, f"{self._stored // 1000}k")
        return {
            "growth_from": SMALL,
            "growth_to": self._stored,
            "growth_cpu_ms": [_cpu_ms(small), _cpu_ms(large)],
            "growth_tps": [small.tps, large.tps],
            "growth_wal_bytes": [round(one.wal_bytes / one.settled) for one in (small, large)],
            "growth_cpu_s_per_1000": [small.cpu_s_per_1000, large.cpu_s_per_1000],
            "growth_ratio": round(_cpu_ms(large) / _cpu_ms(small), 3),
            "growth_time_ratio": round(small.tps / large.tps, 3),
        }

    async def _cost(self, bench: Bench, name: str) -> Measured:
        for what, requests in (("warm-up", WARM_UP_REQUESTS), ("grown", REQUESTS)):
            one = await bench.measure(
                f"{what}-{name}",
                seconds=LONGEST_S,
                requests=requests,
                connections=self._connections,
                batch=self._batch,
            )
        return one

    @contextlib.asynccontextmanager
    async def _services(self) -> AsyncIterator[Bench]:
        """The services on this database instead of their own; afterwards none runs."""
        await asyncio.to_thread(self._bench.stack.services.stop_all)
        services = Services(self._surroundings)
        try:
            await asyncio.to_thread(services.start_all)
            bench = await self._bench.elsewhere(self._url)
            try:
                yield bench
            finally:
                await bench.close()
        finally:
            await asyncio.to_thread(services.stop_all)


def _cpu_ms(one: Measured) -> float:
    """CPU milliseconds of everything but the load, for one payment."""
    used = sum(seconds for part, seconds in one.cpu_s.items() if part != "load")
    return round(used / one.settled * 1000, 4)
