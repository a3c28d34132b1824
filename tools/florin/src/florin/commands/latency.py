"""latency: how long one payment takes on an idle system."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from florin.commands.lifecycle import stack_must_be_up

if TYPE_CHECKING:
    # Loaded where it is used: not for the commands that only start or stop services.
    from florin.latency import Latency


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("latency")(latency)


def latency(
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, help="How many payments.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time payments one at a time, from POST to SETTLED (moves one cent to and fro)."""
    from florin.clients import api_client
    from florin.latency import measure

    surroundings = stack_must_be_up().surroundings
    errors = Console(stderr=True)
    bar = iter(track(range(count), description="payments", console=errors, disable=not errors.is_terminal))

    async def run() -> "Latency":
        async with (
            api_client(surroundings, "account") as accounts,
            api_client(surroundings, "transaction") as payments,
        ):
            return await measure(accounts, payments, count=count, each=lambda _done: _step(bar))

    measured = asyncio.run(run())
    _step(bar)
    if as_json:
        typer.echo(json.dumps(asdict(measured)))
        return
    typer.echo(
        f"{measured.count} payments, one at a time, POST to SETTLED\n"
        f"as the client sees it: median {measured.answered_median_ms:.1f} ms, "
        f"p99 {measured.answered_p99_ms:.1f} ms\n"
        f"as the lifecycle says: median {measured.recorded_median_ms:.1f} ms, "
        f"p99 {measured.recorded_p99_ms:.1f} ms"
    )


def _step(bar: Iterator[int]) -> None:
    next(bar, None)
