"""What `customers` and `users` do alike with the key-encryption keys under which their people are kept."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from florin.stack import stack_here

console = Console(highlight=False)

KeepOption = Annotated[
    bool, typer.Option("--keep", help="Make no new key: go on with a rotation that was broken off.")
]
KeyArgument = Annotated[str, typer.Argument(help="The key's id, such as kek-1.")]


def rotate(service: str, *, keep: bool) -> None:
    """Rotate the keys of the service, and say what lies under which; exit status 1 where some stay behind."""
    from florin import person_keys

    rotated = asyncio.run(
        person_keys.rotate(
            stack_here().surroundings,
            now=datetime.now(UTC),
            keep=keep,
            keeper=person_keys.KEEPERS[service],
        )
    )
    console.print(f"{rotated.rotation.rewrapped} keys were brought under {rotated.active}")
    for key_id, count in sorted(rotated.rotation.kept.items()):
        console.print(f"  {key_id}: {count}")
    for row in rotated.rotation.broken:
        console.print(f"[bold red]does not unwrap:[/bold red] {row}")
    if rotated.rotation.broken:
        raise typer.Exit(1)


def drop(service: str, key_id: str) -> None:
    """Forget a key of the service's for good."""
    from florin import person_keys

    keeper = person_keys.KEEPERS[service]
    asyncio.run(person_keys.drop(stack_here().surroundings, key_id, now=datetime.now(UTC), keeper=keeper))
    console.print(f"{key_id} is gone")
