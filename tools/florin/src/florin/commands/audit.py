"""audit: who did what, and where the chains of it end."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from florin.errors import StackError
from florin.services import PROCESSES
from florin.stack import stack_here
from florin.tables import make_table

console = Console(highlight=False)
# Whose log, and the key that may read it.
AUDITORS = {"demo": "demo-office", "operator": "operator"}
_SHOWN = 200
Item = dict[str, Any]

FilterOption = Annotated[str | None, typer.Option(help="Only entries of exactly this.")]


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("audit")(audit)


def audit(
    service: Annotated[str | None, typer.Option("--service", help="One service instead of all.")] = None,
    client: Annotated[str, typer.Option("--client", help="Whose log: demo or operator.")] = "demo",
    actor: FilterOption = None,
    action: FilterOption = None,
    subject: FilterOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_SHOWN, help="At most, of a service.")] = 20,
    head: Annotated[
        bool, typer.Option("--head", help="Tell where each chain ends, to be kept elsewhere, and no entries.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the audit log, newest first, through the services' own API: it is an entry of its own. With
    `--head`, a line for each service; give them to `florin verify --audit-head` later."""
    from florin import audit_reading

    services = _chosen(service)
    if head:
        for line in asyncio.run(audit_reading.head_lines(stack_here().surroundings, services)):
            typer.echo(line)
        return
    if client not in AUDITORS:
        raise StackError(f"there is no auditor's key of {client}: choose {' or '.join(AUDITORS)}")
    wanted = {"actor": actor, "action": action, "subject": subject, "limit": limit}
    asked = {name: value for name, value in wanted.items() if value is not None}
    surroundings = stack_here().surroundings
    found = asyncio.run(audit_reading.entries(surroundings, services, key=AUDITORS[client], asked=asked))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        console.print(table_of(found) if found else "nothing is written there")


def table_of(found: Sequence[Item]) -> Table:
    """The entries, a row each."""
    table = make_table("at, from", "entry", "who, what, of what", "before → after, why")
    for item in found:
        place = "" if item["position"] is None else str(item["position"])
        cells = (
            (str(item["at"])[:19].replace("T", " "), item["address"]),
            (item["service"], place),
            (item["actor"], item["action"], item["subject"]),
            (_change(item), item["reason"]),
        )
        # What a caller wrote is no markup of ours.
        table.add_row(*(Text("\n".join(filter(None, cell))) for cell in cells))
    return table


def _change(item: Item) -> str:
    told = [json.dumps(item[name], ensure_ascii=False) for name in ("before", "after") if item[name]]
    return " → ".join(told)


def _chosen(service: str | None) -> Sequence[str]:
    if service is None:
        return PROCESSES
    if service not in PROCESSES:
        raise StackError(f"there is no service {service}: choose one of {', '.join(PROCESSES)}")
    return (service,)
