"""import: accounts and payments from CSV files."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from florin.errors import StackError
from florin.importing import CHUNK, IN_FLIGHT, PATIENCE_S
from florin.stack import stack_here

if TYPE_CHECKING:
    # Loaded where they are used: not for the commands that only start or stop services.
    import httpx2

    from florin.importing.feed import Source
    from florin.importing.runs import Summary

CANNOT_RUN = 2

File = Annotated[Path, typer.Argument(help="A CSV file in UTF-8 with a header line.", show_default=False)]
RejectsOption = Annotated[
    Path | None, typer.Option("--rejects", help="Where refused lines go; else FILE.rejects.csv beside it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]
Client = Annotated[str, typer.Option("--client", help="Whose accounts and payments these are.")]
Chunk = Annotated[int, typer.Option("--chunk", min=1, max=1000, help="Lines in one request.")]
InFlight = Annotated[int, typer.Option("--in-flight", min=1, max=32, help="Requests at once.")]
Patience = Annotated[
    float, typer.Option("--patience", min=1, help="Seconds to wait out an outage or a standstill.")
]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(
        help="Accounts and payments from CSV files; a file given twice moves nothing twice. "
        "Exit status: 0 all well, 1 some lines refused or payments rejected, 2 it could not run to its end.",
        no_args_is_help=True,
    )
    group.command("accounts")(import_accounts)
    group.command("payments")(import_payments)
    app.add_typer(group, name="import")


def import_accounts(
    file: File,
    rejects: RejectsOption = None,
    as_json: Json = False,
    client: Client = "demo",
    chunk: Chunk = CHUNK,
    in_flight: InFlight = IN_FLIGHT,
    patience: Patience = PATIENCE_S,
) -> None:
    """Open accounts: columns account, holder, currency, opening_balance."""
    from florin.importing.feed import Source

    source = Source(file, rejects, chunk, in_flight, patience)
    _run("account", source, client=client, as_json=as_json)


def import_payments(
    file: File,
    rejects: RejectsOption = None,
    as_json: Json = False,
    client: Client = "demo",
    chunk: Chunk = CHUNK,
    in_flight: InFlight = IN_FLIGHT,
    patience: Patience = PATIENCE_S,
) -> None:
    """Make payments and wait for their end: columns reference, debtor, creditor, amount, currency,
    description."""
    from florin.importing.feed import Source

    source = Source(file, rejects, chunk, in_flight, patience)
    _run("transaction", source, client=client, as_json=as_json)


def _run(service: str, source: "Source", *, client: str, as_json: bool) -> None:
    from florin.importing import runs
    from florin.importing.lines import count_lines
    from florin.importing.progress import Bars
    from florin.importing.sending import Sender

    work = runs.import_accounts if service == "account" else runs.import_payments
    try:
        lines = count_lines(source.path)
        api = _api(service, client)
        follow = service == "transaction"

        async def run() -> "Summary":
            async with api:
                with Bars("sent", lines, follow=follow) as bars:
                    return await work(Sender(api, patience_s=source.patience_s), source, bars)

        summary = asyncio.run(run())
    except StackError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print("florin:", str(error), markup=False)
        raise typer.Exit(CANNOT_RUN) from None
    typer.echo(json.dumps(asdict(summary)) if as_json else _told(summary, follow=follow))
    if summary.exit_status:
        raise typer.Exit(summary.exit_status)


def _api(service: str, client: str) -> "httpx2.AsyncClient":
    from florin.clients import api_client

    stack = stack_here()
    if client not in stack.credentials.api_keys:
        raise StackError(f"there is no client {client!r}: {', '.join(stack.credentials.api_keys)}")
    # Only at the start: what ends later is waited for.
    if not stack.elsewhere and not stack.services.running(service):
        raise StackError(f"the {service} service does not run: run `florin up`")
    return api_client(stack.surroundings, service, client=client)


def _told(summary: "Summary", *, follow: bool) -> str:
    """The summary in words."""
    first = f"{summary.lines} lines: {summary.accepted} accepted, {summary.replayed} known from before"
    parts = [f"{first}, {summary.errors} refused" + _counted(summary.refused_by)]
    if follow:
        line = f"{summary.settled} settled, {summary.rejected} rejected" + _counted(summary.rejected_by)
        line += f", {summary.in_review} in review" if summary.in_review else ""
        line += f", {summary.unfinished} NOT FINISHED" if summary.unfinished else ""
        parts.append(line)
    parts.append(f"{summary.seconds:.1f} s, {summary.per_second:.0f} a second")
    if summary.retries:
        parts.append(f"{summary.retries} requests were sent again")
    if summary.rejects_file:
        parts.append(f"see {summary.rejects_file}")
    return "\n".join(parts)


def _counted(reasons: dict[str, int]) -> str:
    listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f" ({listed})" if listed else ""
