"""`python -m tests.load`: how fast a stack is on this machine. Exit status 1 when payments went wrong."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from florin.stack import Stack
from rich.console import Console

from . import phases, report, site
from .bench import ROOT, Bench
from .drawing import draw
from .options import Options

BUILD = ROOT / "build"
DEFAULT = Options()


def main(
    only: Annotated[
        str, typer.Option(help=f"Only these phases, in this order, by commas: {', '.join(phases.PHASES)}.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.5, help="How long single POSTs last.")] = DEFAULT.seconds,
    payments: Annotated[int, typer.Option(min=500, help="How many make up bulk.")] = DEFAULT.bulk_payments,
    connections: Annotated[
        str, typer.Option(help="Of single POSTs; of several, by commas, the best is looked for.")
    ] = ",".join(map(str, DEFAULT.connections)),
    bulk_connections: Annotated[int, typer.Option(min=1, help="Of bulk.")] = DEFAULT.bulk_connections,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Payments a request, in bulk.")] = DEFAULT.batch,
    stored: Annotated[
        int, typer.Option(min=20_000, help="Growth is measured up to so many stored payments.")
    ] = DEFAULT.stored,
    full: Annotated[
        bool, typer.Option("--full", help="Verify the large database too, which takes minutes more.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up, to look into it.")] = False,
    stack: Annotated[
        Path | None,
        typer.Option(help="Use the stack that runs in this run folder (`.run` for that of `make up`)."),
    ] = None,
) -> None:
    """Measure a fresh stack, or by --stack one that runs: attach a profiler to its processes meanwhile.

    `py-spy record --pid $(jq .pid RUN_DIR/pids/transaction.pid)` beside `--stack RUN_DIR --only single`.
    """
    console = Console(highlight=False, width=None if os.isatty(1) else 160)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {line}", markup=False, soft_wrap=True)

    chosen = only.split(",") if only else list(phases.ORDER)
    if unknown := set(chosen).difference(phases.PHASES):
        raise typer.BadParameter(f"there is no phase {', '.join(sorted(unknown))}")
    options = Options(
        seconds=seconds,
        connections=tuple(int(number) for number in connections.split(",")),
        bulk_payments=payments,
        bulk_connections=bulk_connections,
        batch=batch,
        stored=stored,
        verify_grown=full,
    )
    with site.running(stack.resolve()) if stack else site.fresh(BUILD, say, keep=keep) as used:
        results, drawn = uvloop.run(_measure(used, chosen, options, say, stays=keep or stack is not None))
    took_s = time.monotonic() - began
    BUILD.mkdir(exist_ok=True)
    for name, svg in drawn.items():
        (BUILD / name).write_text(svg)
    report.show(results, console)
    report.write(results, BUILD / ("bench-chosen.json" if only else "bench.json"), seconds=took_s)
    console.print(f"{took_s:.0f} s in all")
    if any(results.get(name, {}).get("ok") is False for name in ("verify", "verify_grown")):
        raise typer.Exit(1)


async def _measure(
    stack: Stack, chosen: list[str], options: Options, say: site.Say, *, stays: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    bench = await Bench.of(stack, say)
    try:
        await phases.run(bench, chosen, options)
        if stays:
            await bench.services_up()
        return bench.results, await draw(bench)
    finally:
        await bench.close()


if __name__ == "__main__":
    typer.run(main)
