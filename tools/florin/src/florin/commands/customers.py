"""customers rotate-keys, drop-key: the keys under which each person's own key is kept."""

import typer

from florin.commands import encryption_keys
from florin.commands.encryption_keys import KeepOption, KeyArgument
from florin.environment import KEEPS_PERSONS


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(help="The keys that personal data is kept under.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("rotate-keys")(rotate_keys)
    group.command("drop-key")(drop_key)
    app.add_typer(group, name="customers")


def rotate_keys(*, keep: KeepOption = False) -> None:
    """Make a new key-encryption key and bring every person's key under it, while the service runs. Exit
    status 1 when some cannot be brought over."""
    encryption_keys.rotate(KEEPS_PERSONS, keep=keep)


def drop_key(key_id: KeyArgument) -> None:
    """Forget a key-encryption key for good. Refused while anybody's key is kept under it."""
    encryption_keys.drop(KEEPS_PERSONS, key_id)
