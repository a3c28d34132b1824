"""users: people who sign in, what they may do, and how they get in again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from service_kit.access import Role

from florin.administration import Administration, Item
from florin.commands import encryption_keys
from florin.commands.encryption_keys import KeepOption, KeyArgument
from florin.environment import KEEPS_CLIENTS
from florin.stack import stack_here
from florin.tables import make_table

console = Console(highlight=False)
STYLES = {"active": "green", "invited": "cyan", "disabled": "red"}
Answer = TypeVar("Answer")

PersonArgument = Annotated[
    UUID, typer.Argument(metavar="PERSON", help="The person's id; `users list` shows it.")
]
RoleOption = Annotated[
    list[Role], typer.Option("--role", "-r", help="A role; give the option once for each.")
]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    users = typer.Typer(help="People: who may sign in, and as what.", no_args_is_help=True)
    users.command("add")(add)
    users.command("list")(list_people)
    users.command("roles")(set_roles)
    users.command("disable")(disable)
    users.command("enable")(enable)
    users.command("invite-again")(invite_again)
    users.command("reset-second-factor")(reset_second_factor)
    users.command("rotate-keys")(rotate_keys)
    users.command("drop-key")(drop_key)
    app.add_typer(users, name="users")


def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="By which the person signs in.")],
    name: Annotated[str, typer.Option("--name", help="What people call them.")],
    role: RoleOption,
    client: Annotated[
        str | None, typer.Option("--client", help="Whose person it is; Florin's own staff unless said.")
    ] = None,
) -> None:
    """Invite a person; the invitation is shown this once."""
    roles = [one.value for one in role]
    _show_invited(_ask(lambda office: office.add_person(client=client, name=name, email=email, roles=roles)))


def list_people() -> None:
    """Show every person."""
    _show(_ask(lambda office: office.people()))


def set_roles(person: PersonArgument, role: RoleOption) -> None:
    """Give a person these roles in place of all others; tokens with the old ones stop within seconds."""
    _show([_ask(lambda office: office.set_roles(str(person), [one.value for one in role]))])


def disable(person: PersonArgument) -> None:
    """Shut a person out: sessions, tokens and invitations open nothing within seconds."""
    _show([_ask(lambda office: office.disable(str(person)))])


def enable(person: PersonArgument) -> None:
    """Let a person who was shut out come back: the invitation leads to a new password and authenticator."""
    _show_invited(_ask(lambda office: office.enable(str(person))))


def invite_again(person: PersonArgument) -> None:
    """Invite a person anew, who lost password and authenticator, or the invitation; both start afresh."""
    _show_invited(_ask(lambda office: office.invite_again(str(person))))


def reset_second_factor(person: PersonArgument) -> None:
    """End a person's authenticator, recovery codes and sessions; the invitation leads to new ones."""
    _show_invited(_ask(lambda office: office.reset_second_factor(str(person))))


def rotate_keys(*, keep: KeepOption = False) -> None:
    """Make a new key-encryption key and bring under it what people sign in by, and the keys that sign tokens,
    while the service runs. Exit status 1 when some cannot be brought over."""
    encryption_keys.rotate(KEEPS_CLIENTS, keep=keep)


def drop_key(key_id: KeyArgument) -> None:
    """Forget a key-encryption key for good. Refused while anything is kept under it."""
    encryption_keys.drop(KEEPS_CLIENTS, key_id)


def _ask(question: Callable[[Administration], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with Administration.of(stack_here().surroundings) as office:
            return await question(office)

    return asyncio.run(asked())


def _show(people: Sequence[Item]) -> None:
    table = make_table(
        "person", "client", "name and e-mail", "roles", "state", "registered", whole={"person"}
    )
    for one in people:
        state = one["state"]
        table.add_row(
            one["id"],
            one["client"],
            f"{escape(one['name'])}\n{escape(one['email'])}",
            " ".join(one["roles"]),
            f"[{STYLES[state]}]{state}[/{STYLES[state]}]",
            one["registered_at"][:16].replace("T", " "),
        )
    console.print(table)


def _show_invited(invited: Item) -> None:
    _show([invited["person"]])
    console.print(f"The invitation, shown this once, good until {invited['expires_at'][:16]}:")
    # Alone on its line and unwrapped, so that it can be taken over whole.
    console.print(invited["invitation"], soft_wrap=True)
