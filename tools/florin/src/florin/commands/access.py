"""clients and keys: who may call, with which keys, and the keys that sign tokens and messages."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from florin.administration import Administration, Item
from florin.errors import StackError
from florin.services import SERVICES
from florin.stack import stack_here
from florin.tables import make_table

console = Console(highlight=False)
STYLES = {"active": "green", "next": "cyan", "suspended": "red", "revoked": "red", "expired": "yellow"}
DAY_S = 86_400
Answer = TypeVar("Answer")

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id.")]
PrefixArgument = Annotated[
    str, typer.Argument(metavar="PREFIX", help="The key's eight characters after flk_.")
]
ScopeOption = Annotated[
    list[str], typer.Option("--scope", "-s", help="A scope; give the option once for each.")
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    clients = typer.Typer(
        help="Upstream systems: who is registered, and who is let in.", no_args_is_help=True
    )
    clients.command("add")(add_client)
    clients.command("list")(list_clients)
    clients.command("suspend")(suspend)
    clients.command("resume")(resume)
    app.add_typer(clients, name="clients")
    keys = typer.Typer(
        help="Clients' API keys, and the keys that sign tokens and messages.", no_args_is_help=True
    )
    keys.command("add")(add_key)
    keys.command("list")(list_keys)
    keys.command("rotate")(rotate)
    keys.command("revoke")(revoke)
    keys.command("rotate-signing")(rotate_signing)
    keys.command("rotate-messages")(rotate_messages)
    keys.command("drop-message")(drop_message)
    app.add_typer(keys, name="keys")


def add_client(
    client: ClientArgument,
    scope: ScopeOption,
    name: Annotated[str, typer.Option("--name", help="What people call it; its id unless said.")] = "",
) -> None:
    """Register a client with the most that its keys may ever be allowed."""
    made = _ask(lambda office: office.add_client(client, name=name or client, scopes=scope))
    _show_clients([made])
    console.print(f"Its first key: [bold]florin keys add {client}[/bold]")


def list_clients() -> None:
    """Show every client."""
    _show_clients(_ask(lambda office: office.clients()))


def suspend(client: ClientArgument, reason: ReasonOption) -> None:
    """Shut a client out: its keys and tokens open nothing within seconds."""
    _show_clients([_ask(lambda office: office.set_status(client, "suspended", reason=reason))])


def resume(client: ClientArgument, reason: ReasonOption) -> None:
    """Let a suspended client in again, with the keys that it has."""
    _show_clients([_ask(lambda office: office.set_status(client, "active", reason=reason))])


def add_key(
    client: ClientArgument,
    label: Annotated[str, typer.Option("--label", help="Where the key is used.")] = "command line",
    scope: Annotated[
        list[str] | None, typer.Option("--scope", "-s", help="Fewer than the client may do; once for each.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends, such as 2027-01-01T00:00:00Z.")
    ] = None,
) -> None:
    """Issue a key, and show it this once."""
    issued = _ask(lambda office: office.add_key(client, label=label, scopes=scope or (), not_after=until))
    _show_keys([issued["key"]])
    _show_secret(issued)


def list_keys(client: ClientArgument) -> None:
    """Show a client's keys, ended ones too."""
    _show_keys(_ask(lambda office: office.keys(client)))


def rotate(
    client: ClientArgument,
    prefix: PrefixArgument,
    overlap_s: Annotated[
        int,
        typer.Option("--overlap", min=0, help="For how many seconds the old key goes on; 0 if it leaked."),
    ] = DAY_S,
) -> None:
    """Issue a key in the place of another, and show it this once."""
    rotated = _ask(lambda office: office.rotate_key(client, prefix, overlap_s=overlap_s))
    _show_keys([rotated["replaced"], rotated["key"]])
    _show_secret(rotated)


def revoke(client: ClientArgument, prefix: PrefixArgument, reason: ReasonOption) -> None:
    """End a key, and with it the tokens of its client: it gets new ones with its other keys."""
    _show_keys([_ask(lambda office: office.revoke_key(client, prefix, reason=reason))])


def rotate_signing(
    overlap_s: Annotated[
        int | None,
        typer.Option(
            "--overlap", min=0, help="For how many seconds the old key's tokens go on; 0 if it leaked."
        ),
    ] = None,
) -> None:
    """Let the key that stands by sign tokens from now on, and make a new one to stand by."""
    _ask(lambda office: office.rotate_signing_keys(overlap_s=overlap_s))
    table = make_table("kid", "state", "made, signs since, verifies until", whole={"kid"})
    for key in _ask(lambda office: office.signing_keys()):
        table.add_row(
            key["kid"], _styled(key["state"]), _minutes(key, "made_at", "activated_at", "verify_until")
        )
    console.print(table)


def rotate_messages(
    producer: Annotated[
        list[str] | None, typer.Option("--producer", help="A service instead of all; once for each.")
    ] = None,
    standby: Annotated[
        bool, typer.Option("--standby", help="Only make the next keys known, where processes have copies.")
    ] = False,
) -> None:
    """Let services sign messages with new keys. What old ones signed is believed until they are dropped."""
    from florin import message_keys

    for name in producer or ():
        if name not in SERVICES:
            raise StackError(f"{name!r} sends no messages: choose one of {', '.join(SERVICES)}")
    message_keys.rotate(stack_here().run_dir, producers=producer or SERVICES, standby=standby)
    _show_message_keys()


def drop_message(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, such as account-1.")],
) -> None:
    """Believe no longer what this key has signed: its frames that still lie in queues go to quarantine."""
    from florin import message_keys

    message_keys.drop(stack_here().run_dir, key)
    _show_message_keys()


def _show_message_keys() -> None:
    from florin import message_keys

    table = make_table("key", "producer", "state", whole={"key"})
    for state in message_keys.states(stack_here().run_dir):
        table.add_row(*state)
    console.print(table)


def _ask(question: Callable[[Administration], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with Administration.of(stack_here().surroundings) as office:
            return await question(office)

    return asyncio.run(asked())


def _show_clients(clients: Sequence[Item]) -> None:
    table = make_table("client", "name", "status", "scopes", "registered", whole={"client"})
    for one in clients:
        table.add_row(
            one["id"],
            one["name"],
            _styled(one["status"]),
            " ".join(one["scopes"]),
            _minute(one["registered_at"]),
        )
    console.print(table)


def _show_keys(keys: Sequence[Item]) -> None:
    table = make_table("key", "client", "label", "state", "scopes", "issued, ends, last used", whole={"key"})
    for key in keys:
        table.add_row(
            f"flk_{key['prefix']}",
            key["client"],
            key["label"],
            _styled(key["state"]),
            " ".join(key["scopes"]),
            _minutes(key, "issued_at", "not_after", "last_used_at"),
        )
    console.print(table)


def _show_secret(issued: Item) -> None:
    console.print("The key, shown this once:")
    # Alone on its line and unwrapped, so that it can be taken over whole.
    console.print(issued["secret"], soft_wrap=True)


def _styled(state: str) -> str:
    style = STYLES.get(state)
    return f"[{style}]{state}[/{style}]" if style else state


def _minutes(item: Item, *times: str) -> str:
    """A line for each."""
    return "\n".join(_minute(item[time]) or "–" for time in times)


def _minute(time: str | None) -> str:
    return "" if time is None else time[:16].replace("T", " ")
