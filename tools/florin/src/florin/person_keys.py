"""The key-encryption keys of a run folder: a new one, what is kept brought under it, and an old one dropped.

The running service reads the file again when it has changed: it wraps with the new key from then on, and
unwraps with every key that the file still has.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from account_service.persistence.wrapped_keys import KEPT
from identity_service.operations import reseal
from identity_service.persistence.key_seal import KeySeal
from service_kit.database import Database
from service_kit.key_encryption_keys import (
    KeyEncryptionKeys,
    KeyEncryptionKeysError,
    UnknownKeyEncryptionKey,
)
from service_kit.vault import Vault
from service_kit.wrapped_keys import Rotation, count_keys, rotate_keys

from florin.credentials import (
    identity_keys_file,
    key_encryption_keys_file,
    new_key_encryption_key,
    write_private,
)
from florin.environment import KEEPS_CLIENTS, KEEPS_PERSONS, Surroundings
from florin.errors import StackError
from florin.provision import owner_of

# Longer than the database lets a transaction stand idle and a statement run: until then one that began before
# the key was retired may still write under it.
DROP_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Keeper:
    """A service that keeps keys under key-encryption keys: where those lie, and by which command they are
    rotated."""

    service: str
    file: Callable[[Path], Path]
    command: str
    rotate: Callable[[Database, KeyEncryptionKeys, bytes], Awaitable[Rotation]]
    count: Callable[[Database], Awaitable[Mapping[str, int]]]


async def _rotate_customers(database: Database, keys: KeyEncryptionKeys, handle_key: bytes) -> Rotation:
    return await rotate_keys(database, Vault(keys, handle_key=handle_key), KEPT)


async def _count_customers(database: Database) -> Mapping[str, int]:
    async with database.snapshot() as connection:
        return await count_keys(connection, [kept.name for kept in KEPT])


async def _reseal(database: Database, keys: KeyEncryptionKeys, handle_key: bytes) -> Rotation:
    return await reseal.reseal(database, Vault(keys, handle_key=handle_key), KeySeal(keys))


CUSTOMERS = Keeper(
    service=KEEPS_PERSONS,
    file=key_encryption_keys_file,
    command="florin customers rotate-keys",
    rotate=_rotate_customers,
    count=_count_customers,
)
# Of those who sign in, and the keys that sign tokens.
USERS = Keeper(
    service=KEEPS_CLIENTS,
    file=identity_keys_file,
    command="florin users rotate-keys",
    rotate=_reseal,
    count=reseal.kept_under,
)
KEEPERS: Mapping[str, Keeper] = {keeper.service: keeper for keeper in (CUSTOMERS, USERS)}


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


async def rotate(
    surroundings: Surroundings, *, now: datetime, keep: bool = False, keeper: Keeper = CUSTOMERS
) -> Rotated:
    """Make a new key unless the active one is to be kept, and bring all that is kept under the active one.

    Broken off, it is to be called again with `keep`. Raises StackError.
    """
    path = keeper.file(surroundings.run_dir)
    if not keep:
        add_key(path, now=now)
    database = _database(surroundings, keeper)
    try:
        keys = KeyEncryptionKeys.load(path)
        handle_key = bytes.fromhex(surroundings.credentials.blind_index_key)
        return Rotated(keys.active().id, await keeper.rotate(database, keys, handle_key))
    except (KeyEncryptionKeysError, UnknownKeyEncryptionKey) as error:
        raise StackError(str(error)) from error
    finally:
        await database.close()


async def drop(surroundings: Surroundings, key_id: str, *, now: datetime, keeper: Keeper = CUSTOMERS) -> None:
    """Take a key out of the file that nothing is kept under; raises StackError."""
    path = keeper.file(surroundings.run_dir)
    entries = _entries(path)
    found = next((one for one in entries if one["id"] == key_id), None)
    if found is None:
        raise StackError(f"there is no key {key_id!r} in {path}")
    if found["active"]:
        raise StackError(f"{key_id} is the active key: `{keeper.command}` makes another one active")
    retired_at = found.get("retired_at")
    if retired_at is not None and now - datetime.fromisoformat(retired_at) < DROP_AFTER:
        raise StackError(f"{key_id} was active {DROP_AFTER.seconds} s ago or less: try again later")
    kept = await kept_keys(surroundings, keeper=keeper)
    if kept.get(key_id):
        raise StackError(f"{kept[key_id]} keys are kept under {key_id}: run `{keeper.command} --keep`")
    write_private(path, {"keys": [one for one in entries if one["id"] != key_id]})


async def kept_keys(surroundings: Surroundings, *, keeper: Keeper = CUSTOMERS) -> Mapping[str, int]:
    """How many keys are kept under each key-encryption key."""
    database = _database(surroundings, keeper)
    try:
        return await keeper.count(database)
    finally:
        await database.close()


def _database(surroundings: Surroundings, keeper: Keeper) -> Database:
    url = surroundings.role_url(owner_of(keeper.service))
    return Database(url, pool_size=1, application_name="florin-command")


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text())["keys"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({error!r})") from error
    return entries
