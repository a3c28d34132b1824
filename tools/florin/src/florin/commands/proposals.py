"""proposals list, show: what waits for a second person, and how proposals ended."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from florin.errors import StackError
from florin.stack import stack_here
from florin.tables import make_table

if TYPE_CHECKING:
    # Loaded where it is used: not for the commands that only start or stop services.
    from florin.proposed import Found

console = Console(highlight=False)


class Service(StrEnum):
    """Who keeps proposals."""

    ACCOUNT = "account"
    TRANSACTION = "transaction"


class State(StrEnum):
    """Where a proposal may stand."""

    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


_COLOURS = {"OPEN": "yellow", "APPROVED": "green", "REJECTED": "red", "WITHDRAWN": "dim", "EXPIRED": "dim"}
ServiceOption = Annotated[Service | None, typer.Option("--service", help="One service instead of both.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(help="What takes two people: proposed, and decided by another.", no_args_is_help=True)
    group.command("list")(list_proposals)
    group.command("show")(show_proposal)
    app.add_typer(group, name="proposals")


def list_proposals(
    state: Annotated[
        State | None, typer.Option("--state", help="Those in one state.", case_sensitive=False)
    ] = None,
    service: ServiceOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most, of a service.")] = 100,
    as_json: Json = False,
) -> None:
    """List proposals of all clients, the newest first."""
    from florin import proposed

    wanted = None if state is None else state.value
    surroundings = stack_here().surroundings
    found = asyncio.run(proposed.listed(surroundings, _chosen(service), state=wanted, limit=limit))
    if as_json:
        typer.echo(_json(found))
        return
    if not found:
        console.print("nothing is proposed")
        return
    console.print(table_of(found))


def show_proposal(
    proposal_id: Annotated[UUID, typer.Argument(help="The proposal's id.")],
    service: ServiceOption = None,
    as_json: Json = False,
) -> None:
    """Show one proposal: what, why, by whom, and what has become of it."""
    from florin import proposed

    found = asyncio.run(proposed.one(stack_here().surroundings, _chosen(service), proposal_id))
    if not found:
        raise StackError(f"there is no proposal {proposal_id}")
    if as_json:
        typer.echo(_json(found))
        return
    for one in found:
        console.print(sheet_of(one))


def table_of(found: Sequence["Found"]) -> Table:
    """A line for each."""
    table = make_table(
        "proposal", "client", "kind", "terms", "state", "by", "until or ended", whole={"proposal"}
    )
    for one in found:
        terms = ", ".join(f"{name} {value}" for name, value in one.terms.items())
        when = one.ended_at or one.expires_at
        told = (f"{one.id}\nof {one.service}", one.client_id, one.kind, escape(terms))
        state_told = f"[{_COLOURS[one.state]}]{one.state}[/]"
        table.add_row(*told, state_told, one.ended_by or one.proposed_by, f"{when:%Y-%m-%d %H:%M:%S}")
    return table


def sheet_of(one: "Found") -> Table:
    """All that is known of one."""
    table = Table(show_header=False, title=f"{one.kind} of {one.client_id}", title_justify="left")
    for name, value in asdict(one).items():
        if value is not None:
            text = orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
            table.add_row(name.replace("_", " "), escape(text))
    return table


def _chosen(service: Service | None) -> Sequence[str]:
    return [one.value for one in Service] if service is None else [service.value]


def _json(found: Sequence["Found"]) -> str:
    return orjson.dumps([asdict(one) for one in found], option=orjson.OPT_INDENT_2).decode()
