"""Latency under a steady load that does not wait for the service: coordinated omission is left no room."""

from typing import Any

from .bench import Bench
from .figures import percentiles, schedule

CONNECTIONS = 16
# When each payment of the load was settled, by the number in its key.
_SETTLED = """
    SELECT ('x' || right(p.idempotency_key, 8))::bit(32)::int AS number,
           extract(epoch FROM s.occurred_at)::float8 AS settled_at
    FROM transaction.payments p
    JOIN transaction.payment_events s ON s.payment_id = p.id AND s.status = 'SETTLED'
    WHERE p.client_id = 'demo' AND p.idempotency_key LIKE $1 || '-%'
"""


async def measure_open(bench: Bench, *, share: float, of_tps: float, seconds: float) -> dict[str, Any]:
    """Single POSTs at a share of the greatest rate. `answer_ms`: until the 202; `settled_ms`: until SETTLED;
    both counted from when the request was due, not from when it could be sent."""
    rate = share * of_tps
    one = await bench.measure(
        f"open-{share:.0%}".rstrip("%"), mode="open", seconds=seconds, rate=rate, connections=CONNECTIONS
    )
    due = schedule(rate, seconds, seed=one.plan.seed)
    rows = await bench.database.fetch(_SETTLED, one.plan.name)
    settled_ms = [(row["settled_at"] - one.seen.began_at - due[row["number"]]) * 1000 for row in rows]
    bench.latencies_ms[f"open loop, {share:.0%}: to SETTLED"] = settled_ms
    bench.latencies_ms[f"open loop, {share:.0%}: to the answer"] = one.seen.latencies_ms
    return {
        "rate": round(rate, 1),
        "payments": one.settled,
        "load_late_ms": round(one.seen.late_ms, 2),
        "answer_ms": percentiles(one.seen.latencies_ms),
        "settled_ms": percentiles(settled_ms),
    }
