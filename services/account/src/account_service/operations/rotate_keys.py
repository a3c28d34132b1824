"""Bring every person's key under the newest key-encryption key while the service runs, batch by batch."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.sealed import WrappedKey
from service_kit.database import Database
from service_kit.vault import SealBroken, Vault

from account_service.persistence.wrapped_keys import (
    KEPT,
    KeptKeys,
    count_keys,
    lock_keys_of_others,
    save_keys,
)

BATCH = 500


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many keys were wrapped anew, how many are now kept under each key-encryption key, by its id, and
    the rows whose keys do not unwrap, which stay as they are."""

    rewrapped: int
    kept: Mapping[str, int]
    broken: tuple[str, ...]


async def rotate_keys(database: Database, vault: Vault, *, batch: int = BATCH) -> Rotation:
    """Wrap anew what is not under the active key; `database` is entered as the schema's owner.

    Each batch is a transaction of its own that holds its rows for milliseconds; broken off, it goes on where
    it was when called again. No personal data is opened. Raises UnknownKeyEncryptionKey.
    """
    rewrapped = 0
    broken: list[str] = []
    for kept in KEPT:
        after = kept.before_all
        while True:
            async with database.transaction() as connection:
                found = await lock_keys_of_others(
                    connection, kept, active=vault.active_key_id, after=after, limit=batch
                )
                anew, unsound = _rewrapped(vault, kept, found)
                await save_keys(connection, kept, anew)
            if not found:
                break
            after = list(found)[-1]
            rewrapped += len(anew)
            broken += unsound
    async with database.snapshot() as connection:
        return Rotation(rewrapped, await count_keys(connection), tuple(broken))


def _rewrapped(
    vault: Vault, kept: KeptKeys, found: Mapping[str, WrappedKey]
) -> tuple[dict[str, WrappedKey], list[str]]:
    anew, broken = {}, []
    for row, key in found.items():
        try:
            anew[row] = vault.rewrap(key, kept.table, row)
        except SealBroken:
            broken.append(f"{kept.table} {row}")
    return anew, broken
