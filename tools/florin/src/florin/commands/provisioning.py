"""provision: what must stand before services run elsewhere than on this machine, in containers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from florin.stack import stack_here

console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(
        help="Secrets, roles, schemas and queues of a Florin whose processes others start.",
        no_args_is_help=True,
    )
    group.command("secrets")(secrets)
    group.command("servers")(servers)
    app.add_typer(group, name="provision")


def secrets(
    folder: Annotated[Path, typer.Argument(help="Where a folder is made for each who has secrets.")],
    owner: Annotated[
        int | None, typer.Option("--owner", min=0, help="The user's number who is to own them.")
    ] = None,
) -> None:
    """Make what secrets are missing, and hand them out as files, to each its own. Done again it changes
    nothing."""
    from florin.handing_out import hand_out

    for name in hand_out(stack_here().surroundings, folder, uid=owner):
        console.print(f"secrets of {name} in {folder / name}")


def servers() -> None:
    """Make roles, schemas, exchanges, queues and users on the servers given by FLORIN_DATABASE_ADMIN_URL,
    FLORIN_BROKER_URL and FLORIN_BROKER_MANAGEMENT_URL. Done again it changes nothing."""
    stack = stack_here()
    stack.provision()
    console.print("roles, database and schemas stand")
    stack.apply_topology()
    console.print("exchanges, queues and users of the broker stand")
