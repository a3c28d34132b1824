"""What is measured, one function a phase: each says a line and leaves its figures in `bench.results`."""

from collections.abc import Awaitable, Callable, Mapping

from . import pgbench
from .bench import Bench, Measured
from .figures import median, percentiles, ratio
from .idle import measure_idle
from .options import Options

Phase = Callable[[Bench, Options], Awaitable[None]]


async def yardstick(bench: Bench, options: Options) -> None:
    """pgbench, before or after, whichever this is."""
    rates = await pgbench.measure(bench.stack.backing["postgres"].url, seconds=options.pgbench_seconds)
    runs = bench.results.setdefault("pgbench_runs", [])
    runs += rates
    bench.results["pgbench_tps"] = round(median(runs), 1)
    bench.say(f"pgbench: {pgbench.middle(rates):,.0f} tps ({', '.join(f'{rate:,.0f}' for rate in rates)})")


async def single(bench: Bench, options: Options) -> None:
    """One payment a request, by the number of connections; the best counts."""
    best: Measured | None = None
    tried = {}
    for connections in options.connections:
        one = await bench.measure(f"single-{connections}", seconds=options.seconds, connections=connections)
        _say(bench, f"single POSTs, {connections} connections", one)
        tried[str(connections)] = one.tps
        if best is None or one.tps > best.tps:
            best = one
    assert best is not None, "at least one number of connections"
    bench.results |= {
        "single_tps": best.tps,
        "single_connections": best.plan.connections,
        "single_tps_by_connections": tried,
        "single_answer_ms": percentiles(best.seen.latencies_ms),
        "cpu_s_per_1000": best.cpu_s_per_1000,
        "wal_bytes_per_payment": round(best.wal_bytes / best.settled),
    }


async def bulk(bench: Bench, options: Options) -> None:
    """Batches of payments."""
    one = await bench.measure(
        "bulk", seconds=options.seconds, connections=options.bulk_connections, batch=options.batch
    )
    _say(bench, f"bulk, {options.batch} a request, {options.bulk_connections} connections", one)
    bench.results |= {
        "bulk_tps": one.tps,
        "bulk_cpu_s_per_1000": one.cpu_s_per_1000,
        "bulk_wal_bytes_per_payment": round(one.wal_bytes / one.settled),
    }


async def hot(bench: Bench, options: Options) -> None:
    """One payer, one payee, and many: the same bulk load, in turn, so that all see the same machine."""
    shapes = ("uniform", "hot_payer", "hot_payee")
    found: dict[str, list[Measured]] = {shape: [] for shape in shapes}
    for turn in range(options.hot_rounds):
        for shape in shapes[:: 1 if turn % 2 == 0 else -1]:
            one = await bench.measure(
                f"{shape}-{turn}",
                seconds=options.hot_seconds,
                connections=options.bulk_connections,
                batch=options.batch,
                shape=shape,
            )
            _say(bench, f"bulk, {shape.replace('_', ' ')}", one)
            found[shape].append(one)
    tps = {
        shape: round(sum(one.settled for one in ones) / sum(one.seconds for one in ones), 1)
        for shape, ones in found.items()
    }
    bench.results |= {f"{shape}_tps": rate for shape, rate in tps.items()}
    for shape in shapes[1:]:
        bench.results[f"{shape}_ratio"] = ratio(tps[shape], tps["uniform"])


async def idle(bench: Bench, options: Options) -> None:
    """One payment at a time."""
    found = await measure_idle(bench, count=options.idle_count)
    bench.results |= found
    bench.say(
        f"idle, POST to SETTLED: median {found['idle_p50_ms']:.1f} ms, p99 {found['idle_p99_ms']:.1f} ms as "
        f"the client sees it; {found['idle_recorded_p50_ms']:.1f} and {found['idle_recorded_p99_ms']:.1f} ms "
        "by the lifecycle"
    )


PHASES: Mapping[str, Phase] = {
    "pgbench": yardstick,
    "single": single,
    "bulk": bulk,
    "hot": hot,
    "idle": idle,
}


def _say(bench: Bench, what: str, one: Measured) -> None:
    used = " ".join(f"{name} {value:.2f}" for name, value in one.cpu_s_per_1000.items() if value >= 0.005)
    bench.say(
        f"{what}: {one.tps:,.0f} settled/s ({one.settled:,} payments; {one.accepted_tps:,.0f} accepted/s, "
        f"drained {one.drain_s:.1f} s after; {one.wal_bytes / one.settled:,.0f} B WAL; CPU ms each: {used}; "
        f"{sum(one.cpu_s.values()) / one.seconds:.2f} cores busy)"
    )
