"""The key-encryption keys of a run folder: a new one, people's keys brought under it, and an old one dropped.

The running service reads the file again when it has changed: it wraps with the new key from then on, and
unwraps with every key that the file still has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from account_service.operations.rotate_keys import Rotation, rotate_keys
from account_service.persistence.wrapped_keys import count_keys
from service_kit.database import Database
from service_kit.key_encryption_keys import (
    KeyEncryptionKeys,
    KeyEncryptionKeysError,
    UnknownKeyEncryptionKey,
)
from service_kit.vault import Vault

from florin.credentials import key_encryption_keys_file, new_key_encryption_key, write_private
from florin.environment import KEEPS_PERSONS, Surroundings
from florin.errors import StackError
from florin.provision import owner_of

# Longer than the database lets a transaction stand idle and a statement run: until then one that began before
# the key was retired may still write under it.
DROP_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Rotated:
    """The id of the key that all are to be under, and what was done."""

    active: str
    rotation: Rotation


def add_key(path: Path, *, now: datetime) -> str:
    """Put a new key into the file, active in place of the one that was; returns its id."""
    entries = _entries(path)
    numbers = [int(tail) for one in entries if (tail := str(one["id"]).rpartition("-")[2]).isdigit()]
    made = new_key_encryption_key(number=max(numbers, default=0) + 1)
    kept = [
        {**one, "active": False, "retired_at": now.isoformat()} if one["active"] else one for one in entries
    ]
    write_private(path, {"keys": [*kept, made]})
    return str(made["id"])


async def rotate(surroundings: Surroundings, *, now: datetime, keep: bool = False) -> Rotated:
    """Make a new key unless the active one is to be kept, and bring all people's keys under the active one.

    Broken off, it is to be called again with `keep`. Raises StackError.
    """
    path = key_encryption_keys_file(surroundings.run_dir)
    if not keep:
        add_key(path, now=now)
    database = _database(surroundings)
    try:
        keys = KeyEncryptionKeys.load(path)
        vault = Vault(keys, handle_key=bytes.fromhex(surroundings.credentials.blind_index_key))
        return Rotated(vault.active_key_id, await rotate_keys(database, vault))
    except (KeyEncryptionKeysError, UnknownKeyEncryptionKey) as error:
        raise StackError(str(error)) from error
    finally:
        await database.close()


async def drop(surroundings: Surroundings, key_id: str, *, now: datetime) -> None:
    """Take a key out of the file that nobody's key is kept under; raises StackError."""
    path = key_encryption_keys_file(surroundings.run_dir)
    entries = _entries(path)
    found = next((one for one in entries if one["id"] == key_id), None)
    if found is None:
        raise StackError(f"there is no key {key_id!r} in {path}")
    if found["active"]:
        raise StackError(
            f"{key_id} is the active key: `florin customers rotate-keys` makes another one active"
        )
    retired_at = found.get("retired_at")
    if retired_at is not None and now - datetime.fromisoformat(retired_at) < DROP_AFTER:
        raise StackError(f"{key_id} was active {DROP_AFTER.seconds} s ago or less: try again later")
    kept = await kept_keys(surroundings)
    if kept.get(key_id):
        raise StackError(
            f"{kept[key_id]} people's keys are kept under {key_id}: run `florin customers rotate-keys --keep`"
        )
    write_private(path, {"keys": [one for one in entries if one["id"] != key_id]})


async def kept_keys(surroundings: Surroundings) -> Mapping[str, int]:
    """How many people's keys are kept under each key-encryption key."""
    database = _database(surroundings)
    try:
        async with database.snapshot() as connection:
            return await count_keys(connection)
    finally:
        await database.close()


def _database(surroundings: Surroundings) -> Database:
    url = surroundings.role_url(owner_of(KEEPS_PERSONS))
    return Database(url, pool_size=1, application_name="florin-command")


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text())["keys"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({error!r})") from error
    return entries
