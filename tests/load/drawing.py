"""The charts of a run."""

from . import charts
from .bench import Bench

# Payments that the run made, by the second in which they were settled.
_SETTLED = """
    SELECT floor(extract(epoch FROM occurred_at))::bigint AS second, count(*) AS payments
    FROM transaction.payment_events WHERE status = 'SETTLED' AND occurred_at >= to_timestamp($1)
    GROUP BY 1 ORDER BY 1
"""


async def draw(bench: Bench) -> dict[str, str]:
    """Throughput over time and latency percentiles, as SVG by the name of the file."""
    drawn = {}
    loads = [one for one in bench.measured if one.here]
    if loads:
        began = loads[0].seen.began_at
        rows = await bench.database.fetch(_SETTLED, began)
        settled = [(row["second"] - began, row["payments"]) for row in rows]
        spans = [
            (one.name, one.seen.began_at - began, one.seen.began_at - began + one.seconds) for one in loads
        ]
        drawn["bench-throughput.svg"] = charts.throughput(settled, spans)
    if bench.latencies_ms:
        drawn["bench-latency.svg"] = charts.latencies(bench.latencies_ms)
    return drawn
