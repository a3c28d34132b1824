"""What the run found, as a table for people and as JSON for machines."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .judging import Judgement, Verdict
from .mutants import Mutant

Outcome = Mapping[Mutant, Judgement]


def killed(outcome: Outcome) -> int:
    """How many safeguards a test was seen to guard."""
    return sum(judgement.verdict is Verdict.KILLED for judgement in outcome.values())


def document(outcome: Outcome, *, seconds: float) -> dict[str, Any]:
    """The report as JSON holds it."""
    return {
        "ok": killed(outcome) == len(outcome),
        "killed": killed(outcome),
        "total": len(outcome),
        "seconds": round(seconds, 1),
        "mutants": [
            {
                "name": mutant.name,
                "safeguard": mutant.safeguard,
                "files": mutant.files,
                "test": mutant.test,
                "killed": judgement.verdict is Verdict.KILLED,
                "verdict": str(judgement.verdict),
                "red": list(judgement.red),
                "told": judgement.told,
                "seconds": round(judgement.seconds, 1),
            }
            for mutant, judgement in outcome.items()
        ],
    }


def write(outcome: Outcome, file: Path, *, seconds: float) -> None:
    """As JSON, into a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document(outcome, seconds=seconds), indent=1) + "\n")


def show(outcome: Outcome, console: Console, *, seconds: float) -> None:
    """The table and the total, and for each that was not killed what came of it."""
    table = Table("safeguard taken out")
    for heading in ("file", "test that turned red"):
        table.add_column(heading, overflow="fold")
    table.add_column("s", justify="right")
    for mutant, judgement in outcome.items():
        good = judgement.verdict is Verdict.KILLED
        red = mutant.test.rpartition("::")[2] if good else f"[bold red]{judgement.verdict}[/]"
        files = "\n".join(mutant.files)
        table.add_row(mutant.safeguard, files, red, f"{judgement.seconds:.1f}")
    console.print(table)
    for mutant, judgement in outcome.items():
        if judgement.verdict is not Verdict.KILLED:
            console.print(f"{mutant.name}: {judgement.verdict}: {judgement.told}", style="red", markup=False)
            console.print(f"  {mutant.why}", markup=False)
    console.print(f"killed {killed(outcome)} of {len(outcome)} in {seconds:.0f} s")
