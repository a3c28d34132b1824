"""demo: start everything, feed a few thousand payments, show what became of them, check the books."""

import asyncio
import time
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from florin.services import PROCESSES
from florin.stack import Stack, stack_here

if TYPE_CHECKING:
    # Loaded where they are used: not for the commands that only start or stop services.
    from florin.demo.story import Told
    from florin.demo.tally import Times

console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("demo")(demo)


def demo() -> None:
    """Start everything, or use what runs elsewhere by FLORIN_API_ADDRESS; feed it a few thousand payments of
    every kind, show the figures, check the books. Run again it moves no money. Exit status 1 if an invariant
    is broken."""
    from florin.commands.verification import show
    from florin.demo.sample import make_sample
    from florin.demo.story import play
    from florin.importing.progress import Bars
    from florin.verification.report import verify

    stack = stack_here(say=_say)
    if not stack.elsewhere:
        stack.up()
    began = time.monotonic()
    with Bars("sent", len(make_sample().payments), follow=True) as bars:
        told = asyncio.run(play(stack.surroundings, say=_say, watcher=bars))
    _say("checking the books: florin verify")
    report = asyncio.run(verify(stack.surroundings))
    console.print(_table(told))
    if told.tally.accepted == 0:
        console.print(_nothing_new(told.tally.postings_added))
    show(report, console)
    _where(stack, told, time.monotonic() - began)
    if not report.ok:
        raise typer.Exit(1)


def _say(line: str) -> None:
    console.print(f"[dim]·[/dim] {line}")


def _table(told: "Told") -> Table:
    tally = told.tally
    table = Table("payments", "", title="What became of them", title_justify="left")
    table.add_row("accepted", f"{tally.accepted:,}")
    table.add_row("  settled", f"{tally.settled:,}")
    table.add_row("  rejected", f"{tally.rejected.total():,}")
    for reason, count in sorted(tally.rejected.items()):
        table.add_row(f"    {reason}", f"{count:,}")
    if tally.in_review:
        table.add_row("  in review", f"{tally.in_review:,}")
    table.add_row("  (of these held for review, then approved)", f"{tally.approved:,}")
    table.add_row("  (of these held for review, then declined)", f"{tally.declined:,}")
    table.add_row("  (of these reversals)", f"{tally.reversals:,}")
    table.add_row("authorised: money held, then captured or given up", f"{tally.authorised:,}")
    table.add_row("replayed: known by their key", f"{tally.replayed:,}")
    table.add_row("refused at the door", f"{tally.refused.total():,}")
    for code, count in sorted(tally.refused.items()):
        table.add_row(f"    {code}", f"{count:,}")
    table.add_section()
    for name, per_second, times in (
        ("in bulk", tally.bulk_per_second, told.bulk_times),
        ("one by one, 16 at once", tally.single_per_second, told.single_times),
    ):
        table.add_row(f"{name}: finished a second", f"{per_second:,.0f}" if times else "nothing to do")
        table.add_row(f"{name}: to settlement, p50 / p99", _times(times))
    return table


def _nothing_new(postings: int) -> str:
    if postings:
        return f"[bold red]Nothing new was accepted, and yet there are {postings} new postings.[/]"
    return "All of it was known from before: 0 new payments, 0 new postings, no money moved."


def _times(times: "Times | None") -> str:
    return f"{times.p50_ms:,.0f} / {times.p99_ms:,.0f} ms" if times else "-"


def _where(stack: Stack, told: "Told", seconds: float) -> None:
    console.print(f"\nThat took {seconds:.1f} s. Florin stays up:")
    for service in PROCESSES:
        console.print(f"  {service:<13} {stack.surroundings.api_url(service)}/docs", soft_wrap=True)
    console.print(f"  API key       {stack.run_dir / 'credentials.json'} (api_keys.demo)", soft_wrap=True)
    console.print(f"  refused lines {told.rejects}", soft_wrap=True)
    if stack.elsewhere:
        return
    console.print("Stop it with [bold]make down[/bold]; start again with [bold]make up[/bold].")
