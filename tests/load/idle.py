"""Latency when nothing else is going on: from POST to SETTLED, one payment at a time."""

from .bench import Bench
from .figures import percentiles

WARM_UP = 10
WAIT_S = 10
# By the times of its own lifecycle: from PENDING to SETTLED, in milliseconds.
_RECORDED = """
    SELECT extract(epoch FROM s.occurred_at - p.created_at)::float8 * 1000
    FROM transaction.payments p
    JOIN transaction.payment_events s ON s.payment_id = p.id AND s.status = 'SETTLED'
    WHERE p.client_id = 'demo' AND p.idempotency_key LIKE $1 || '%' ORDER BY p.id
"""


async def measure_idle(bench: Bench, *, count: int) -> dict[str, float]:
    """As the client sees it (the answer says SETTLED), and as the lifecycle says."""
    one = await bench.measure(
        "idle", seconds=count * 1.0, requests=WARM_UP + count, connections=1, wait_s=WAIT_S
    )
    rows = await bench.database.fetch(_RECORDED, one.plan.name)
    bench.latencies_ms["idle: to the answer SETTLED"] = one.seen.latencies_ms[WARM_UP:]
    answered = percentiles(one.seen.latencies_ms[WARM_UP:])
    recorded = percentiles(float(row[0]) for row in rows[WARM_UP:])
    return {
        "idle_p50_ms": answered["p50"],
        "idle_p99_ms": answered["p99"],
        "idle_max_ms": answered["max"],
        "idle_recorded_p50_ms": recorded["p50"],
        "idle_recorded_p99_ms": recorded["p99"],
    }
