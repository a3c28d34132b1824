"""People's wrapped keys wherever they are kept, in batches: to wrap them anew, and to count them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.sealed import WrappedKey
from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COUNT = text(
    """
    SELECT key_encryption_key, count(*) AS number FROM (
        SELECT key_encryption_key FROM account.customers
        UNION ALL SELECT key_encryption_key FROM account.account_holders) AS kept
    GROUP BY 1
    """
)


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """One table that keeps wrapped keys; its rows are walked in the order of their ids."""

    table: str
    before_all: str
    lock: Statement
    save: Statement


def _kept(table: str, id_column: str, id_type: str, before_all: str) -> KeptKeys:
    lock = f"""
        SELECT CAST({id_column} AS text) AS row_id, data_key, key_encryption_key FROM account.{table}
        WHERE {id_column} > CAST(CAST(:after AS text) AS {id_type})
          AND key_encryption_key <> CAST(:active AS text)
        ORDER BY {id_column} LIMIT CAST(:limit AS integer) FOR NO KEY UPDATE
    """  # noqa: S608  constants
    save = f"""
        UPDATE account.{table} SET data_key = n.data_key, key_encryption_key = n.key_encryption_key
        FROM unnest(CAST(:ids AS {id_type}[]), CAST(:data_keys AS bytea[]), CAST(:key_ids AS text[]))
            AS n (id, data_key, key_encryption_key)
        WHERE {table}.{id_column} = n.id
    """  # noqa: S608  constants
    return KeptKeys(table, before_all, Statement(lock), Statement(save))


KEPT: Sequence[KeptKeys] = (
    _kept("customers", "id", "uuid", "00000000-0000-0000-0000-000000000000"),
    _kept("account_holders", "account_id", "bigint", "0"),
)


async def lock_keys_of_others(
    connection: AsyncConnection, kept: KeptKeys, *, active: str, after: str, limit: int
) -> dict[str, WrappedKey]:
    """Up to `limit` rows after an id whose keys are not under the active key-encryption key, locked."""
    rows = await kept.lock.rows(connection, {"after": after, "active": active, "limit": limit})
    return {row[0]: WrappedKey(row[2], row[1]) for row in rows}


async def save_keys(connection: AsyncConnection, kept: KeptKeys, keys: Mapping[str, WrappedKey]) -> None:
    """Write keys that have been wrapped anew, by the ids of their rows."""
    if not keys:
        return
    parameters = {
        "ids": [int(row) if row.isdigit() else row for row in keys],
        "data_keys": [key.wrapped for key in keys.values()],
        "key_ids": [key.key_encryption_key for key in keys.values()],
    }
    written = await kept.save.run(connection, parameters)
    assert written == len(keys), "every locked row is written"


async def count_keys(connection: AsyncConnection) -> dict[str, int]:
    """How many people's keys are kept under each key-encryption key."""
    return {row.key_encryption_key: row.number for row in await connection.execute(_COUNT)}
