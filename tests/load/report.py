"""What a run found, as tables for people and as JSON for machines."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .targets import TARGETS, verdicts

# What a reader of the file may rely on; None where a phase was left out.
KEYS = (
    *("pgbench_tps", "single_tps", "single_ratio", "bulk_tps", "bulk_ratio", "uniform_tps"),
    *("hot_payer_tps", "hot_payer_ratio", "hot_payee_tps", "hot_payee_ratio"),
    *("key_tps", "token_tps", "token_ratio"),
    *("idle_p50_ms", "idle_p99_ms", "growth_ratio", "drain_s", "rss_mb", "cpu_s_per_1000", "open_loop"),
    *("wal_bytes_per_payment", "statements_per_payment", "telemetry_cpu_ratio", "telemetry_ratio", "verify"),
)
_MORE = (
    ("pgbench", "pgbench_tps", " tps"),
    ("single POSTs settled", "single_tps", "/s"),
    ("bulk settled", "bulk_tps", "/s"),
    ("uniform, bulk", "uniform_tps", "/s"),
    ("one hot payer, bulk", "hot_payer_tps", "/s"),
    ("one hot payee, bulk", "hot_payee_tps", "/s"),
    ("single POSTs by API key, median of the turns", "key_tps", "/s"),
    ("single POSTs by access token, median of the turns", "token_tps", "/s"),
    ("CPU of the transaction service a payment, by API key", "key_cpu_ms", " ms"),
    ("the same, by access token", "token_cpu_ms", " ms"),
    ("idle by the lifecycle, median", "idle_recorded_p50_ms", " ms"),
    ("idle by the lifecycle, p99", "idle_recorded_p99_ms", " ms"),
    ("backlog of 60 s with the workers stopped, payments", "backlog", ""),
    ("drained after the workers were started", "drain_s", " s"),
    ("time a payment, at most stored to few stored", "growth_time_ratio", ""),
    ("WAL a payment, single", "wal_bytes_per_payment", " B"),
    ("WAL a payment, bulk", "bulk_wal_bytes_per_payment", " B"),
    ("statements a payment, single", "statements_per_payment", ""),
    ("settled, with telemetry to without", "telemetry_ratio", ""),
    ("statements a payment, bulk", "bulk_statements_per_payment", ""),
)
_SAID = {True: "[green]met[/]", False: "[bold red]not met[/]", None: "not measured"}


def document(results: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """The run as JSON holds it."""
    return {
        **dict.fromkeys(KEYS),
        **results,
        "met": verdicts(results),
        "seconds": round(seconds, 1),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }


def write(results: Mapping[str, Any], file: Path, *, seconds: float) -> None:
    """As JSON, into a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document(results, seconds=seconds), indent=1) + "\n")


def show(results: Mapping[str, Any], console: Console) -> None:
    """The targets, the other figures, and what each part used."""
    table = Table("target", "wanted", "measured", "")
    for target in TARGETS:
        figure = target.figure(results)
        measured = "-" if figure is None else f"{figure:,.2f}{target.unit}"
        table.add_row(target.what, target.wanted, measured, _SAID[target.met(results)])
    console.print(table)
    more = Table("figure", "measured")
    for what, key, unit in _MORE:
        if (figure := results.get(key)) is not None:
            more.add_row(what, f"{_number(figure)}{unit}")
    for share, one in results.get("open_loop", {}).items():
        for what, key in (("the answer", "answer_ms"), ("SETTLED", "settled_ms")):
            named = one[key]
            more.add_row(
                f"open loop, {share} of the single-POST maximum, to {what}: p50 / p99 / p99.9",
                f"{named['p50']:,.1f} / {named['p99']:,.1f} / {named['p99_9']:,.1f} ms",
            )
    console.print(more)
    console.print(_parts(results))


def _parts(results: Mapping[str, Any]) -> Table:
    table = Table("part", "CPU s per 1,000, single", "bulk", "peak memory MB")
    single, bulk = results.get("cpu_s_per_1000") or {}, results.get("bulk_cpu_s_per_1000") or {}
    memory = results.get("rss_mb") or {}
    for part in sorted({*single, *bulk, *memory}):
        table.add_row(
            part,
            *(f"{one[part]:.3f}" if part in one else "-" for one in (single, bulk)),
            f"{memory[part]:,.0f}" if part in memory else "-",
        )
    table.add_row("all", *(f"{sum(one.values()):.3f}" if one else "-" for one in (single, bulk)), "")
    return table


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:,.2f}"
