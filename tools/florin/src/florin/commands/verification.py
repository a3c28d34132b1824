"""verify: what must always hold, checked from the data."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from florin.stack import stack_here
from florin.verification import SETTLE_S

if TYPE_CHECKING:
    # Loaded where they are used: not for the commands that only start or stop services.
    from florin.verification.checks import Check
    from florin.verification.report import Report

STYLES = {"ok": "green", "failed": "bold red", "not checkable": "yellow"}


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("verify")(verify_all)


def verify_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    settle_seconds: Annotated[
        float, typer.Option("--settle-seconds", min=0, help="How long to wait for quiet first.")
    ] = SETTLE_S,
    audit_head: Annotated[
        list[str] | None,
        typer.Option(
            "--audit-head",
            metavar="SERVICE:POSITION:HASH",
            help="Where an audit chain ended, as `florin audit --head` told it; once for each.",
        ),
    ] = None,
) -> None:
    """Check the invariants from the data of all services; name the first offender of each. Exit status 1 if
    any fails."""
    from florin.audit_heads import read_heads
    from florin.verification.report import verify

    heads = read_heads(audit_head or ())

    surroundings = stack_here().surroundings
    errors = Console(stderr=True)
    with errors.status("waiting for quiet") as status:

        def begin(check: "Check") -> None:
            status.update(f"{check.invariant}. {check.name}")

        report = asyncio.run(verify(surroundings, settle_s=settle_seconds, heads=heads, begin=begin))
    if as_json:
        typer.echo(json.dumps(report.document(), indent=1))
    else:
        show(report, Console(highlight=False))
    if not report.ok:
        raise typer.Exit(1)


def show(report: "Report", console: Console) -> None:
    """The report as a table, then whatever is to be said of single checks."""
    from florin.verification.checks import INVARIANTS

    table = Table("", "what must always hold", "verdict", "checked")
    for number, name in INVARIANTS.items():
        status = report.status(number)
        results = [result for result in report.results if result.check.invariant == number]
        checked = sum(result.finding.checked for result in results)
        table.add_row(str(number), name, f"[{STYLES[status]}]{status}[/]", f"{checked:,}")
    console.print(table)
    for result in report.results:
        finding = result.finding
        if finding.ok is not True or finding.note:
            word = "FAILED" if finding.ok is False else "not checked" if finding.ok is None else "note"
            said = finding.offender or finding.note or ""
            console.print(
                f"{word}: {result.check.invariant}. {result.check.name}: {said}",
                markup=False,
                soft_wrap=True,
            )
    verdict = "[green]all invariants hold[/]" if report.ok else "[bold red]an invariant is broken[/]"
    console.print(f"{verdict} ({report.checked:,} looks)")
