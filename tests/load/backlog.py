"""How long the workers need for what has come in while they were away."""

import asyncio
import time
from collections.abc import Awaitable

from . import roles
from .bench import Bench, generate

CONNECTIONS = 16


async def measure_drain(
    bench: Bench, *, rate: float, seconds: float, meanwhile: Awaitable[None] | None = None
) -> dict[str, float]:
    """Collects payments with every worker stopped, then starts the workers and waits for the last payment.

    `meanwhile` is done while the backlog grows, which is not measured, and is finished before the workers are
    started. `drain_s` counts from when the workers are started, `drain_ready_s` from when all are ready.
    """
    async with roles.only_api(bench):
        plan = bench.plan("backlog", mode="open", seconds=seconds, rate=rate, connections=CONNECTIONS)
        if meanwhile is None:
            seen = await generate(plan)
        else:
            seen, _ = await asyncio.gather(generate(plan), meanwhile)
        began = time.time()
        async with roles.workers(bench):
            ready = time.time()
            drained = await bench.drained()
            backlog = seen.requests
    return {
        "backlog": backlog,
        "backlog_rate": round(rate, 1),
        "backlog_load_s": seconds,
        "backlog_answer_p99_ms": round(sorted(seen.latencies_ms)[int(len(seen.latencies_ms) * 0.99)], 1),
        "drain_s": round(drained - began, 2),
        "drain_ready_s": round(max(0.0, drained - ready), 2),
        "drain_tps": round(backlog / (drained - began), 1),
    }
