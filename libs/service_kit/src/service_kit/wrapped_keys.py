"""People's wrapped keys wherever a service keeps them: brought under the newest key-encryption key while the
service runs, batch by batch, and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.sealed import WrappedKey
from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.database import Database
from service_kit.vault import SealBroken, Vault

BATCH = 500


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """One table that keeps wrapped keys, as `schema.table`; its rows are walked in the order of their ids."""

    name: str
    before_all: str
    lock: Statement
    save: Statement

    @property
    def table(self) -> str:
        """Without its schema: to which a key is bound."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many keys were wrapped anew, how many are now kept under each key-encryption key, by its id, and
    the rows whose keys do not unwrap, which stay as they are."""

    rewrapped: int
    kept: Mapping[str, int]
    broken: tuple[str, ...]


def kept_keys(name: str, *, id_column: str, id_type: str, before_all: str) -> KeptKeys:
    """The keys of `schema.table`, whose ids all sort after `before_all`."""
    table = name.rpartition(".")[2]
    lock = f"""
        SELECT CAST({id_column} AS text) AS row_id, data_key, key_encryption_key FROM {name}
        WHERE {id_column} > CAST(CAST(:after AS text) AS {id_type})
          AND key_encryption_key <> CAST(:active AS text)
        ORDER BY {id_column} LIMIT CAST(:limit AS integer) FOR NO KEY UPDATE
    """  # noqa: S608  constants
    save = f"""
        UPDATE {name} SET data_key = n.data_key, key_encryption_key = n.key_encryption_key
        FROM unnest(CAST(:ids AS {id_type}[]), CAST(:data_keys AS bytea[]), CAST(:key_ids AS text[]))
            AS n (id, data_key, key_encryption_key)
        WHERE {table}.{id_column} = n.id
    """  # noqa: S608  constants
    return KeptKeys(name, before_all, Statement(lock), Statement(save))


async def rotate_keys(
    database: Database, vault: Vault, places: Sequence[KeptKeys], *, batch: int = BATCH
) -> Rotation:
    """Wrap anew what is not under the active key; `database` is entered as the schema's owner.

    Each batch is a transaction of its own that holds its rows for milliseconds; broken off, it goes on where
    it was when called again. No personal data is opened. Raises UnknownKeyEncryptionKey.
    """
    rewrapped = 0
    broken: list[str] = []
    for kept in places:
        after = kept.before_all
        while True:
            async with database.transaction() as connection:
                found = await _lock_keys_of_others(
                    connection, kept, active=vault.active_key_id, after=after, limit=batch
                )
                anew, unsound = _rewrapped(vault, kept, found)
                await _save_keys(connection, kept, anew)
            if not found:
                break
            after = list(found)[-1]
            rewrapped += len(anew)
            broken += unsound
    async with database.snapshot() as connection:
        counted = await count_keys(connection, [kept.name for kept in places])
    return Rotation(rewrapped, counted, tuple(broken))


async def count_keys(connection: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """How many keys are kept under each key-encryption key, in these tables together."""
    union = " UNION ALL ".join(f"SELECT key_encryption_key FROM {name}" for name in names)  # noqa: S608
    statement = f"SELECT key_encryption_key, count(*) AS number FROM ({union}) AS kept GROUP BY 1"  # noqa: S608
    return {row.key_encryption_key: row.number for row in await connection.execute(text(statement))}


async def _lock_keys_of_others(
    connection: AsyncConnection, kept: KeptKeys, *, active: str, after: str, limit: int
) -> dict[str, WrappedKey]:
    """Up to `limit` rows after an id whose keys are not under the active key-encryption key, locked."""
    rows = await kept.lock.rows(connection, {"after": after, "active": active, "limit": limit})
    return {row[0]: WrappedKey(row[2], row[1]) for row in rows}


async def _save_keys(connection: AsyncConnection, kept: KeptKeys, keys: Mapping[str, WrappedKey]) -> None:
    if not keys:
        return
    parameters = {
        "ids": [int(row) if row.isdigit() else row for row in keys],
        "data_keys": [key.wrapped for key in keys.values()],
        "key_ids": [key.key_encryption_key for key in keys.values()],
    }
    written = await kept.save.run(connection, parameters)
    assert written == len(keys), "every locked row is written"


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
