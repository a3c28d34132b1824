"""`python -m tests.faults`: faults under load, and a report. Exit status 1 unless all was as it must be."""

import os
import random
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from testkit.backing import Backing

from . import report
from .arena import Pace
from .catalogue import FAULTS
from .director import run
from .outcome import Order

BUILD = Path(__file__).resolve().parents[2] / "build"
LONG = Pace(stopped_s=60.0, moments=3, batches_per_s=0.5)
PAYMENTS = 50_000


def main(
    seed: Annotated[
        int | None, typer.Option(help="Repeats the order and the payments of an earlier run.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this fault; may be given more than once.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Go on for so long, with longer holds.")] = 0,
    payments: Annotated[int, typer.Option(min=0, help="At least so many payments.")] = PAYMENTS,
    listing: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
) -> None:
    """Break things under load and account for every payment."""
    console = Console(highlight=False, width=None if os.isatty(1) else 160)
    if listing:
        for fault in FAULTS.values():
            console.print(f"{fault.family}: [bold]{fault.name}[/]: {fault.what}")
        return
    unknown = set(only or ()).difference(FAULTS)
    if unknown:
        raise typer.BadParameter(f"there is no fault {', '.join(sorted(unknown))}: see --list")
    seed = random.randrange(1_000_000) if seed is None else seed
    console.print(f"seed {seed}")
    backing = Backing()
    with tempfile.TemporaryDirectory(prefix="florin-faults-") as folder:
        order = Order(
            faults=[fault for name, fault in FAULTS.items() if not only or name in only],
            seed=seed,
            pace=LONG if minutes else Pace(),
            folder=Path(folder),
            for_s=minutes * 60,
            payments=0 if only else payments,
            say=lambda line: console.print(line, markup=False, soft_wrap=True),
        )
        try:
            outcome = uvloop.run(run(order, backing))
        finally:
            backing.close()
    report.show(outcome, console)
    # The report of a choice must not pass for that of the whole.
    report.write(outcome, BUILD / ("faults-chosen.json" if only else "faults.json"))
    if outcome.failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
