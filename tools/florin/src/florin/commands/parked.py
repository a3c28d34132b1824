"""parked, redrive: events that could not be handled, and sending again what was sent."""

import asyncio
import getpass
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from florin.errors import StackError
from florin.services import SERVICES
from florin.stack import stack_here
from florin.tables import make_table

if TYPE_CHECKING:
    # Loaded where they are used: not for the commands that only start or stop services.
    from florin.parked_events import Decision, Found

console = Console(highlight=False)
_AGO = re.compile(r"(?P<count>[1-9][0-9]{0,5})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

ServiceOption = Annotated[str | None, typer.Option("--service", help="One service instead of all.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept for ever beside your name.")]
# In a container everybody is one and the same user.
Author = Annotated[str | None, typer.Option("--author", help="Who you are; this machine's user unless said.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="The events' ids.", show_default=False)]
Everything = Annotated[bool, typer.Option("--all", help="All that are parked, instead of ids.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(help="Events that a service could not handle.", no_args_is_help=True)
    group.command("list")(list_parked)
    group.command("show")(show_parked)
    group.command("replay")(replay)
    group.command("discard")(discard)
    app.add_typer(group, name="parked")
    app.command("redrive")(redrive)


def list_parked(
    service: ServiceOption = None,
    every: Annotated[bool, typer.Option("--every", help="Also those replayed or discarded.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most, of a service.")] = 1000,
    as_json: Json = False,
) -> None:
    """List parked events, oldest first."""
    from florin import parked_events

    surroundings = stack_here().surroundings
    found = asyncio.run(
        parked_events.listed(
            surroundings,
            chosen(service),
            statuses=parked_events.ALL if every else parked_events.OPEN,
            limit=limit,
        )
    )
    if as_json:
        typer.echo(json.dumps([_document(one) for one in found], indent=1))
        return
    if not found:
        console.print("nothing is parked")
        return
    table = make_table(
        "service",
        "event, its type, its subject",
        "reason",
        "parked at",
        whole={"event, its type, its subject"},
    )
    for one in found:
        event = one.event
        named = f"{event.event_id}\n{event.type}\n{escape(event.subject)}"
        reason = event.reason if event.status == "parked" else f"{event.reason}\n({event.status})"
        table.add_row(one.service, named, reason, f"{event.parked_at:%Y-%m-%d %H:%M:%S}")
    console.print(table)


def show_parked(
    event_id: Annotated[UUID, typer.Argument(help="The event's id.")], service: ServiceOption = None
) -> None:
    """Show one parked event with its body and the reason, as JSON."""
    from florin import parked_events

    found = asyncio.run(parked_events.one(stack_here().surroundings, chosen(service), event_id))
    if not found:
        raise StackError(f"no event {event_id} is parked")
    for one in found:
        document = {**_document(one), "body": json.loads(one.event.body)}
        typer.echo(json.dumps(document, indent=1))


def replay(
    note: Note,
    event_ids: Ids = None,
    service: ServiceOption = None,
    author: Author = None,
    everything: Everything = False,
) -> None:
    """Have parked events handled again, by the service that parked them; discarded ones too, when named."""
    decision = _decision(replay=True, author=author, note=note)
    _decide(event_ids, service, decision, everything=everything)


def discard(
    note: Note,
    event_ids: Ids = None,
    service: ServiceOption = None,
    author: Author = None,
    everything: Everything = False,
) -> None:
    """Give parked events up: a payment that waits for one never ends, unless it is replayed after all."""
    decision = _decision(replay=False, author=author, note=note)
    _decide(event_ids, service, decision, everything=everything)


def redrive(
    since: Annotated[
        str | None, typer.Option("--since", help="An ISO 8601 time with offset, or 15m, 2h, 1d ago.")
    ] = None,
    service: ServiceOption = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Send back what the broker gave up on instead.")
    ] = False,
) -> None:
    """Send again what services have sent since a time, or what lies in the dead queues. Moves no money twice:
    whoever has handled an event passes over it."""
    from florin import parked_events

    if dead_letters == (since is not None):
        raise StackError("say either --since TIME or --dead-letters")
    surroundings, services = stack_here().surroundings, chosen(service)
    if dead_letters:
        counts = asyncio.run(parked_events.redrive_dead_letters(surroundings, services))
        what = "frames sent back to its queue"
    else:
        moment = read_moment(since or "", now=datetime.now(UTC))
        counts = asyncio.run(parked_events.redrive(surroundings, services, since=moment))
        what = f"events since {moment.isoformat()} to be sent again"
    for name, count in counts.items():
        console.print(f"{name}: {count} {what}")


def read_moment(text: str, *, now: datetime) -> datetime:
    """`15m` ago, or an ISO 8601 time that names its offset; raises StackError."""
    if match := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[match["unit"]]: int(match["count"])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise StackError(f"{text!r} is neither an ISO 8601 time nor one like 15m, 2h or 1d") from None
    if moment.tzinfo is None:
        raise StackError(f"{text!r} must name its offset from UTC, such as {text}+00:00")
    return moment


def _decision(*, replay: bool, author: str | None, note: str) -> "Decision":
    from florin.parked_events import Decision

    if not note.strip():
        raise StackError("--note must say why")
    who = getpass.getuser() if author is None else author.strip()
    if not who:
        raise StackError("--author must say who")
    return Decision(replay=replay, author=who, note=note.strip())


def _decide(
    event_ids: list[UUID] | None, service: str | None, decision: "Decision", *, everything: bool
) -> None:
    from florin import parked_events

    if everything == bool(event_ids):
        raise StackError("name the events by id, or say --all")
    surroundings, services = stack_here().surroundings, chosen(service)

    async def run() -> dict[str, list[UUID]]:
        ids = event_ids or await parked_events.all_parked(surroundings, services)
        return await parked_events.decide(surroundings, services, ids, decision)

    done = asyncio.run(run())
    for name, ids in done.items():
        console.print(f"{name}: {len(ids)} {'will be handled again' if decision.replay else 'given up'}")
    missing = set(event_ids or ()).difference(*done.values())
    for event_id in sorted(missing):
        console.print(f"{event_id} is not parked: florin parked list --every")
    if missing:
        raise typer.Exit(1)


def chosen(service: str | None) -> Sequence[str]:
    """The one service named, or all; raises StackError for one that does not exist."""
    if service is None:
        return SERVICES
    if service not in SERVICES:
        raise StackError(f"there is no service {service!r}: choose one of {', '.join(SERVICES)}")
    return (service,)


def _document(one: "Found") -> dict[str, str]:
    event = one.event
    return {
        "service": one.service,
        "event_id": str(event.event_id),
        "type": event.type,
        "subject": event.subject,
        "reason": event.reason,
        "detail": event.detail,
        "status": event.status,
        "parked_at": event.parked_at.isoformat(),
    }
