"""Who holds an account: a customer, whose name stands with the customer, or somebody of whom only the name
is known, sealed under a key of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.sealed import Place, SealedText, WrappedKey
from messaging.statement import Statement
from service_kit.vault import Vault
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

TABLE = "account_holders"
CUSTOMERS = "customers"

# For statements that select from `accounts a`.
HOLDER_COLUMNS = """a.id AS holder_row, a.holder, h.holder AS sealed_holder, h.data_key, h.key_encryption_key,
    c.id AS customer_id, c.name AS customer_name, c.data_key AS customer_data_key,
    c.key_encryption_key AS customer_key_encryption_key"""
HOLDER_JOINS = """LEFT JOIN account_holders h ON h.account_id = a.id
    LEFT JOIN customer_accounts w ON w.account_id = a.id LEFT JOIN customers c ON c.id = w.customer_id"""

_INSERT = Statement(
    """
    INSERT INTO account_holders (account_id, holder, data_key, key_encryption_key)
    SELECT * FROM unnest(CAST(:account_ids AS bigint[]), CAST(:holders AS bytea[]),
        CAST(:data_keys AS bytea[]), CAST(:key_encryption_keys AS text[]))
    """
)
# Names that a release before this one has written.
_PLAIN = Statement(
    """
    SELECT id, holder FROM accounts WHERE holder IS NOT NULL AND kind = 'customer'
    ORDER BY id LIMIT CAST(:limit AS integer) FOR UPDATE
    """
)
_FORGET_PLAIN = Statement("UPDATE accounts SET holder = NULL WHERE id = ANY(CAST(:ids AS bigint[]))")


def read_holder(row: Row[Any]) -> str | SealedText:
    """The holder as a row with the columns above has it."""
    if row.customer_id is not None:
        place = Place(CUSTOMERS, "name", str(row.customer_id))
        key = WrappedKey(row.customer_key_encryption_key, row.customer_data_key)
        return SealedText(place, key, row.customer_name)
    if row.sealed_holder is not None:
        key = WrappedKey(row.key_encryption_key, row.data_key)
        return SealedText(Place(TABLE, "holder", str(row.holder_row)), key, row.sealed_holder)
    name: str = row.holder
    return name


async def insert_holders(connection: AsyncConnection, vault: Vault, holders: Mapping[int, str]) -> None:
    """Seal the names of accounts' holders, by account id."""
    if not holders:
        return
    contents, keys = [], []
    for account_id, name in holders.items():
        row = str(account_id)
        key, wrapped = vault.new_key(TABLE, row)
        contents.append(key.seal(name, Place(TABLE, "holder", row)))
        keys.append(wrapped)
    parameters = {
        "account_ids": list(holders),
        "holders": contents,
        "data_keys": [key.wrapped for key in keys],
        "key_encryption_keys": [key.key_encryption_key for key in keys],
    }
    await _INSERT.run(connection, parameters)


async def lock_plain_holders(connection: AsyncConnection, *, limit: int) -> dict[int, str]:
    """Up to `limit` names that stand unsealed, by account id; the accounts stay locked."""
    rows = await _PLAIN.rows(connection, {"limit": limit})
    return {row[0]: row[1] for row in rows}


async def forget_plain_holders(connection: AsyncConnection, account_ids: Sequence[int]) -> None:
    """Empty the names of accounts whose holders have been sealed."""
    await _FORGET_PLAIN.run(connection, {"ids": list(account_ids)})
