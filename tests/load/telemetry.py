"""What telemetry costs: the same load with all of it and with none, in turns on one machine in one run.

With: metrics counted and fetched every five seconds, traces recorded as they are by default and sent to a
collector, a log line for each request. Without: no metric changes, no trace is recorded, and no such line.
"""

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from florin.ports import HOST
from florin.running import Services

from tests.integration.traces_seen import collecting_traces, spans_in

from .bench import Bench, Measured
from .figures import median, ratio

_UNMEASURED = str(Path(__file__).parent / "unmeasured")
_WITHOUT = {"PYTHONPATH": _UNMEASURED, "FLORIN_LOG_LEVEL": "WARNING"}
_SCRAPE_S = 5.0
_WARM_UP_S = 1.5


async def measure_telemetry(bench: Bench, *, rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """The medians of `rounds` turns each, and their ratios: CPU with to without, rate with to without."""
    found: dict[str, list[Measured]] = {"on": [], "off": []}
    with collecting_traces() as (url, bodies):
        settings = {"on": {"FLORIN_OTLP_ENDPOINT": url}, "off": _WITHOUT}
        for turn in range(rounds):
            for way in ("on", "off")[:: 1 if turn % 2 == 0 else -1]:
                async with _services(bench, settings[way], scraped=way == "on"):
                    await bench.measure(f"warm-{way}-{turn}", seconds=_WARM_UP_S, connections=connections)
                    one = await bench.measure(
                        f"telemetry-{way}-{turn}", seconds=seconds, connections=connections
                    )
                    found[way].append(one)
        spans = len(spans_in(bodies))
    cpu_ms = {way: median([_cpu_ms(one) for one in ones]) for way, ones in found.items()}
    tps = {way: median([one.tps for one in ones]) for way, ones in found.items()}
    return {
        "telemetry_cpu_ms": {way: round(value, 4) for way, value in cpu_ms.items()},
        "telemetry_tps": tps,
        "telemetry_cpu_ratio": ratio(cpu_ms["on"], cpu_ms["off"]),
        "telemetry_ratio": ratio(tps["on"], tps["off"]),
        "telemetry_spans": spans,
    }


def _cpu_ms(one: Measured) -> float:
    """CPU milliseconds a payment of all parts but the load."""
    return sum(used for part, used in one.cpu_s.items() if part != "load") * 1000 / one.settled


@contextlib.asynccontextmanager
async def _services(bench: Bench, settings: Mapping[str, str], *, scraped: bool) -> AsyncIterator[None]:
    """The stack's services, started anew with these settings; afterwards they are stopped."""
    plain = bench.stack.services
    services = Services(replace(plain.surroundings, extra=settings), names=plain.names)
    await asyncio.to_thread(plain.stop_all)
    await asyncio.to_thread(services.start_all)
    scraping = asyncio.create_task(_scrape(services)) if scraped else None
    try:
        yield
    finally:
        if scraping is not None:
            scraping.cancel()
            await asyncio.wait({scraping})
        await asyncio.to_thread(services.stop_all)


async def _scrape(services: Services) -> None:
    ports = [services.surroundings.ports.internal(name) for name in services.names]
    while True:
        await asyncio.gather(*(asyncio.to_thread(_fetch, port) for port in ports))
        await asyncio.sleep(_SCRAPE_S)


def _fetch(port: int) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=_SCRAPE_S)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        connection.getresponse().read()
