"""customers rotate-keys, drop-key: the keys under which each person's own key is kept."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from florin.stack import stack_here

console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(help="The keys that personal data is kept under.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("rotate-keys")(rotate_keys)
    group.command("drop-key")(drop_key)
    app.add_typer(group, name="customers")


def rotate_keys(
    keep: Annotated[
        bool, typer.Option("--keep", help="Make no new key: go on with a rotation that was broken off.")
    ] = False,
) -> None:
    """Make a new key-encryption key and bring every person's key under it, while the service runs. Exit
    status 1 when some cannot be brought over."""
    from florin import person_keys

    rotated = asyncio.run(person_keys.rotate(stack_here().surroundings, now=datetime.now(UTC), keep=keep))
    console.print(f"{rotated.rotation.rewrapped} people's keys were brought under {rotated.active}")
    for key_id, count in sorted(rotated.rotation.kept.items()):
        console.print(f"  {key_id}: {count}")
    for row in rotated.rotation.broken:
        console.print(f"[bold red]does not unwrap:[/bold red] {row}")
    if rotated.rotation.broken:
        raise typer.Exit(1)


def drop_key(key_id: Annotated[str, typer.Argument(help="The key's id, such as kek-1.")]) -> None:
    """Forget a key-encryption key for good. Refused while anybody's key is kept under it."""
    from florin import person_keys

    asyncio.run(person_keys.drop(stack_here().surroundings, key_id, now=datetime.now(UTC)))
    console.print(f"{key_id} is gone")
