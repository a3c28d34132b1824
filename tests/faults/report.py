"""What a run found, as a table for people and as JSON for machines."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .outcome import Outcome, Record
from .registry import FAULTS, SKIPPED

SHOWN = 20


def document(outcome: Outcome) -> dict[str, Any]:
    """The report as JSON holds it."""
    found = outcome.findings
    return {
        "ok": not outcome.failures,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 1),
        "payments": found.payments,
        "operations": found.operations,
        "ok_answers": found.ok,
        "failed_answers": found.failed,
        "unknown": found.unknown,
        "resolved": found.resolved,
        "lost": len(found.lost),
        "duplicated": len(found.duplicated),
        "wrong": len(found.wrong) + len(outcome.wrongs) + len(outcome.books.wrong),
        "snapshots": outcome.books.snapshots,
        "verified": outcome.verification.ok,
        "faults": fired(outcome),
        "skipped": {name: fault.without for name, fault in SKIPPED.items()},
        "firings": [asdict(record) for record in outcome.records],
        "failures": outcome.failures,
        "notes": outcome.notes,
    }


def write(outcome: Outcome, file: Path) -> None:
    """As JSON, into a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document(outcome), indent=1) + "\n")


def fired(outcome: Outcome) -> dict[str, int]:
    """How often each fault was seen to happen."""
    counts = {record.name: 0 for record in outcome.records}
    for record in outcome.records:
        counts[record.name] += record.fired
    return dict(sorted(counts.items()))


def show(outcome: Outcome, console: Console) -> None:
    """Both tables and the verdict."""
    table = Table(
        "family",
        "fault",
        "fired",
        "first success s",
        "drained s",
        "p99 ms before",
        "during",
        "after",
        "errors",
    )
    by_name: dict[str, list[Record]] = defaultdict(list)
    for record in outcome.records:
        by_name[record.name].append(record)
    for name in sorted(by_name, key=lambda name: (FAULTS[name].family, name)):
        table.add_row(FAULTS[name].family, name, *_figures(by_name[name]))
    console.print(table)
    found = outcome.findings
    totals = Table(
        "payments", "operations", "ok", "failed", "unknown", "resolved", "lost", "duplicated", "wrong"
    )
    report = document(outcome)
    figures = (found.payments, found.operations, found.ok, found.failed, found.unknown, found.resolved)
    totals.add_row(*(f"{n:,}" for n in (*figures, report["lost"], report["duplicated"], report["wrong"])))
    console.print(totals)
    for name, fault in SKIPPED.items():
        console.print(f"skipped: {name}: {fault.without}", markup=False, soft_wrap=True)
    for line in outcome.notes:
        console.print(f"note: {line}", markup=False, soft_wrap=True)
    failures = outcome.failures
    for line in failures[:SHOWN]:
        console.print(f"FAILED: {line}", markup=False, soft_wrap=True)
    if len(failures) > SHOWN:
        console.print(f"and {len(failures) - SHOWN} more")
    verdict = "[bold red]failed[/]" if failures else "[green]nothing was lost, doubled or altered[/]"
    console.print(
        f"{verdict}: seed {outcome.seed}, {outcome.seconds:.0f} s, "
        f"{outcome.books.snapshots} snapshots of the books"
    )


def _figures(records: Sequence[Record]) -> list[str]:
    """The sum of firings and the worst of each figure."""

    def worst(values: Sequence[float | None]) -> str:
        known = [value for value in values if value is not None]
        return f"{max(known):,.1f}" if known else "-"

    errors: dict[str, int] = defaultdict(int)
    for record in records:
        for name, count in record.errors.items():
            errors[name] += count
    count = sum(record.fired for record in records)
    return [
        str(count) if count and not any(record.error for record in records) else f"[bold red]{count}[/]",
        worst([record.first_success_s for record in records]),
        worst([record.drain_s for record in records]),
        worst([record.p99_before_ms for record in records]),
        worst([record.p99_during_ms for record in records]),
        worst([record.p99_after_ms for record in records]),
        ", ".join(f"{name} {count}" for name, count in sorted(errors.items())),
    ]
