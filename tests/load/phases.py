"""What is measured, one function a phase: each says a line and leaves its figures in `bench.results`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
from florin.verification.report import Report, verify

from . import backlog, growth, openloop, pgbench, statements
from .bench import Bench, Measured
from .figures import median, percentiles, ratio
from .idle import measure_idle
from .options import Options
from .telemetry import measure_telemetry
from .tokens import measure_tokens

Phase = Callable[[Bench, Options], Awaitable[None]]
SETTLE_S = 10.0
SINGLE_CONNECTIONS = 128
LONGEST_S = 60.0


async def yardstick(bench: Bench, options: Options) -> None:
    """pgbench, before or after, whichever this is; the figure is the median of all runs so far."""
    rates = await pgbench.measure(bench.stack.backing["postgres"].url, seconds=options.pgbench_seconds)
    bench.results.setdefault("pgbench_runs", []).append([round(rate, 1) for rate in rates])
    medians = [median(runs) for runs in bench.results["pgbench_runs"]]
    bench.results["pgbench_tps"] = round(sum(medians) / len(medians), 1)
    bench.say(f"pgbench: {median(rates):,.0f} tps ({', '.join(f'{rate:,.0f}' for rate in rates)})")


async def single(bench: Bench, options: Options) -> None:
    """One payment a request: by the number of connections, then at length with the best."""
    tried: dict[int, Measured] = {}
    if len(options.connections) > 1:
        for connections in options.connections:
            tried[connections] = await _single(bench, connections, options.probe_s)
    best = max(tried, key=lambda connections: tried[connections].tps, default=options.connections[0])
    one = await _single(bench, best, options.seconds)
    bench.latencies_ms["single POSTs at the greatest rate: to the answer"] = one.seen.latencies_ms
    bench.results |= {
        "single_tps": one.tps,
        "single_connections": best,
        "single_tps_by_connections": {str(connections): probe.tps for connections, probe in tried.items()},
        "single_answer_ms": percentiles(one.seen.latencies_ms),
        "cpu_s_per_1000": one.cpu_s_per_1000,
        "wal_bytes_per_payment": round(one.wal_bytes / one.settled),
    }


async def bulk(bench: Bench, options: Options) -> None:
    """Batches of payments."""
    one = await _bulk(bench, options, "bulk", payments=options.bulk_payments)
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
            payments = options.hot_payments
            one = await _bulk(bench, options, f"{shape}-{turn}", payments=payments, shape=shape)
            _say(bench, f"bulk, {shape.replace('_', ' ')}", one)
            found[shape].append(one)
    tps = {
        shape: round(sum(one.settled for one in ones) / sum(one.seconds for one in ones), 1)
        for shape, ones in found.items()
    }
    bench.results |= {f"{shape}_tps": rate for shape, rate in tps.items()}
    for shape in shapes[1:]:
        bench.results[f"{shape}_ratio"] = ratio(tps[shape], tps["uniform"])


async def tokens(bench: Bench, options: Options) -> None:
    """Single POSTs by API key and by access token."""
    bench.results |= await measure_tokens(
        bench,
        rounds=options.token_rounds,
        seconds=options.token_seconds,
        connections=bench.results.get("single_connections", SINGLE_CONNECTIONS),
    )
    bench.say(f"tokens to keys: {bench.results['token_ratio']}")


async def open_loop(bench: Bench, options: Options) -> None:
    """Latency at shares of the single-POST maximum."""
    of_tps = await _single_tps(bench, options)
    found = bench.results.setdefault("open_loop", {})
    for share in options.open_shares:
        one = await openloop.measure_open(bench, share=share, of_tps=of_tps, seconds=options.open_seconds)
        found[f"{share:.0%}"] = one
        bench.say(
            f"open loop, {share:.0%} of the single-POST maximum, {one['rate']:,.0f}/s: to the answer "
            f"{_pair(one['answer_ms'])}, to SETTLED {_pair(one['settled_ms'])}"
        )


async def idle(bench: Bench, options: Options) -> None:
    """One payment at a time."""
    found = await measure_idle(bench, count=options.idle_count)
    bench.results |= found
    bench.say(
        f"idle, POST to SETTLED: median {found['idle_p50_ms']:.1f} ms, p99 {found['idle_p99_ms']:.1f} ms as "
        f"the client sees it; {found['idle_recorded_p50_ms']:.1f} and {found['idle_recorded_p99_ms']:.1f} ms "
        "by the lifecycle"
    )


async def count_statements(bench: Bench, options: Options) -> None:
    """How many statements the services send for a payment; its own cost falls into no other phase."""
    admin_url = bench.stack.surroundings.database_admin_url
    words: Mapping[str, dict[str, Any]] = {
        "single": {"connections": bench.results.get("single_connections", SINGLE_CONNECTIONS)},
        "bulk": {"connections": options.bulk_connections, "batch": options.batch},
    }
    for kind, load in words.items():
        try:
            async with statements.counted(admin_url) as found:
                one = await bench.measure(f"statements-{kind}", seconds=options.statement_seconds, **load)
        except asyncpg.PostgresError as error:
            bench.say(f"statements cannot be counted: {error}")
            return
        prefix = "" if kind == "single" else "bulk_"
        bench.results[f"{prefix}statements_per_payment"] = round(found.count / one.settled, 3)
        bench.results[f"{prefix}statements_top"] = found.top
        bench.say(f"{kind}: {found.count / one.settled:.2f} statements a payment")


async def telemetry(bench: Bench, options: Options) -> None:
    """What metrics, traces and request lines cost on the payment path."""
    found = await measure_telemetry(
        bench,
        rounds=options.telemetry_rounds,
        seconds=options.telemetry_seconds,
        connections=bench.results.get("single_connections", SINGLE_CONNECTIONS),
    )
    bench.results |= found
    cpu_ms, tps = found["telemetry_cpu_ms"], found["telemetry_tps"]
    bench.say(
        f"telemetry on and off: {cpu_ms['on']:.3f} and {cpu_ms['off']:.3f} ms CPU a payment "
        f"(x {found['telemetry_cpu_ratio']:.3f}), {tps['on']:,.0f} and {tps['off']:,.0f} settled/s "
        f"(x {found['telemetry_ratio']:.3f}); {found['telemetry_spans']:,} spans"
    )


async def drain(bench: Bench, options: Options) -> None:
    """What the workers do with a backlog."""
    await _drain(bench, options, meanwhile=None)


async def grow(bench: Bench, options: Options) -> None:
    """What a payment costs when few, and when many are stored."""
    grown = _growth(bench, options)
    await grown.small()
    await grown.fill()
    await _large(bench, grown, options)


async def drain_and_grow(bench: Bench, options: Options) -> None:
    """Both: the large database is filled while the backlog grows, which nobody measures."""
    rate = await _single_tps(bench, options)
    bench.results["single_tps"] = rate
    grown = _growth(bench, options)
    await grown.small()
    await _drain(bench, options, meanwhile=grown.fill())
    await _large(bench, grown, options)


async def verify_books(bench: Bench, options: Options) -> None:
    """What must always hold, of every payment of this run; and of the large database, if asked."""
    report = await verify(bench.stack.surroundings, settle_s=SETTLE_S)
    _tell(bench, "verify", report)
    if options.verify_grown and "growth_to" in bench.results:
        grown = await verify(replace(bench.stack.surroundings, database=growth.DATABASE), settle_s=SETTLE_S)
        _tell(bench, "verify_grown", grown)


ALONE: Mapping[str, Phase] = {"pgbench": yardstick, "verify": verify_books}
LOADED: Mapping[str, Phase] = {
    "single": single,
    "bulk": bulk,
    "hot": hot,
    "tokens": tokens,
    "open": open_loop,
    "idle": idle,
    "statements": count_statements,
    "telemetry": telemetry,
    "drain": drain,
    "growth": grow,
    "drain+growth": drain_and_grow,
}
PHASES: Mapping[str, Phase] = {**ALONE, **LOADED}
# The yardstick stands before and after; the books are looked into last. What tokens and telemetry cost is
# measured when it is asked for: with them it would take half as long again.
ORDER = (
    *("pgbench", "single", "bulk", "hot", "open", "idle", "statements"),
    *("drain+growth", "pgbench", "verify"),
)


async def run(bench: Bench, names: list[str], options: Options) -> None:
    """These phases, in turn; with the services up for those that load them."""
    for name in names:
        if name in LOADED:
            await bench.services_up()
        await PHASES[name](bench, options)
    for rate in ("single", "bulk"):
        bench.results[f"{rate}_ratio"] = ratio(
            bench.results.get(f"{rate}_tps"), bench.results.get("pgbench_tps")
        )
    bench.results["rss_mb"] = dict(sorted(bench.rss_mb.items()))


async def _bulk(
    bench: Bench, options: Options, name: str, *, payments: int, shape: str = "uniform"
) -> Measured:
    return await bench.measure(
        name,
        seconds=LONGEST_S,
        requests=max(1, payments // options.batch),
        connections=options.bulk_connections,
        batch=options.batch,
        shape=shape,
    )


async def _single(bench: Bench, connections: int, seconds: float) -> Measured:
    one = await bench.measure(f"single-{connections}", seconds=seconds, connections=connections)
    _say(bench, f"single POSTs, {connections} connections", one)
    return one


async def _single_tps(bench: Bench, options: Options) -> float:
    """The greatest rate of single POSTs: of this run, else looked for now."""
    if "single_tps" not in bench.results:
        one = await _single(bench, SINGLE_CONNECTIONS, options.probe_s)
        bench.results["single_tps"] = one.tps
    return float(bench.results["single_tps"])


def _growth(bench: Bench, options: Options) -> growth.Growth:
    return growth.Growth(
        bench, stored=options.stored, batch=options.batch, connections=options.bulk_connections
    )


async def _drain(bench: Bench, options: Options, *, meanwhile: Awaitable[None] | None) -> None:
    rate = options.backlog_share * await _single_tps(bench, options)
    found = await backlog.measure_drain(
        bench, rate=rate, seconds=options.backlog_seconds, meanwhile=meanwhile
    )
    bench.results |= found
    bench.say(
        f"backlog: {found['backlog']:,.0f} payments of {options.backlog_seconds:.0f} s at {rate:,.0f}/s, "
        f"settled {found['drain_s']:.1f} s after the workers were started ({found['drain_tps']:,.0f}/s)"
    )


async def _large(bench: Bench, grown: growth.Growth, options: Options) -> None:
    found = await grown.large()
    bench.results |= found
    bench.say(
        f"growth, {found['growth_from']:,} to {options.stored:,} payments stored: "
        f"{found['growth_cpu_ms'][0]:.3f} to {found['growth_cpu_ms'][1]:.3f} ms CPU a payment "
        f"(x {found['growth_ratio']:.2f}), {found['growth_tps'][0]:,.0f} to "
        f"{found['growth_tps'][1]:,.0f} settled/s (time x {found['growth_time_ratio']:.2f})"
    )


def _tell(bench: Bench, name: str, report: Report) -> None:
    bench.results[name] = {"ok": report.ok, "checked": report.checked}
    verdict = "all invariants hold" if report.ok else "AN INVARIANT IS BROKEN"
    bench.say(f"{name}: {verdict} ({report.checked:,} looks)")
    for result in report.results:
        if result.finding.ok is False:
            bench.say(f"FAILED: {result.check.invariant}. {result.check.name}: {result.finding.offender}")


def _pair(named: Mapping[str, float]) -> str:
    return f"median {named['p50']:.1f} ms, p99 {named['p99']:.1f} ms"


def _say(bench: Bench, what: str, one: Measured) -> None:
    used = " ".join(f"{name} {value:.2f}" for name, value in one.cpu_s_per_1000.items() if value >= 0.005)
    bench.say(
        f"{what}: {one.tps:,.0f} settled/s ({one.settled:,} payments; {one.accepted_tps:,.0f} accepted/s, "
        f"drained {one.drain_s:.1f} s after; {one.wal_bytes / one.settled:,.0f} B WAL; CPU ms each: {used}; "
        f"{sum(one.cpu_s.values()) / one.seconds:.2f} cores busy)"
    )
