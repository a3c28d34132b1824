"""`python -m tests.load`: how fast a stack is on this machine. Exit status 1 when payments went wrong."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from florin.stack import Stack
from rich.console import Console

from . import site
from .bench import ROOT, Bench
from .options import Options
from .phases import PHASES

BUILD = ROOT / "build"
ORDER = ("pgbench", "single", "bulk", "hot", "idle")


def main(
    only: Annotated[
        str, typer.Option(help=f"Only these phases, in this order, by commas: {', '.join(PHASES)}.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.5, help="How long single POSTs and bulk last.")] = 8.0,
    connections: Annotated[str, typer.Option(help="Of single POSTs; several by commas.")] = "128",
    bulk_connections: Annotated[int, typer.Option(min=1, help="Of bulk.")] = 8,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Payments a request, in bulk.")] = 500,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up, to look into it.")] = False,
    stack: Annotated[
        Path | None,
        typer.Option(help="Use the stack that runs in this run folder (`.run` for that of `make up`)."),
    ] = None,
) -> None:
    """Measure a fresh stack (or, by --stack, one that runs: attach a profiler to its processes meanwhile)."""
    console = Console(highlight=False, width=None if os.isatty(1) else 200)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {line}", markup=False, soft_wrap=True)

    phases = only.split(",") if only else list(ORDER)
    if unknown := set(phases).difference(PHASES):
        raise typer.BadParameter(f"there is no phase {', '.join(sorted(unknown))}")
    options = Options(
        seconds=seconds,
        connections=tuple(int(number) for number in connections.split(",")),
        bulk_connections=bulk_connections,
        batch=batch,
    )
    with site.running(stack.resolve()) if stack else site.fresh(BUILD, say, keep=keep) as used:
        uvloop.run(measure(used, phases, options, say))


async def measure(stack: Stack, phases: list[str], options: Options, say: site.Say) -> None:
    """Every phase, in turn."""
    bench = await Bench.of(stack, say)
    try:
        for name in phases:
            await PHASES[name](bench, options)
    finally:
        await bench.close()


if __name__ == "__main__":
    typer.run(main)
