"""Batches that were sent: a hash of each item, and what was refused, so that a retry is answered alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

RefusedItem = tuple[str, str, str]

_INSERT = text(
    """
    INSERT INTO payment_batches (client_id, idempotency_key, item_hashes, refused, created_at)
    VALUES (:client_id, :key, CAST(:item_hashes AS bytea[]), :refused, :at)
    ON CONFLICT (client_id, idempotency_key) DO NOTHING RETURNING 1
    """
)
_LOAD = text(
    "SELECT item_hashes, refused FROM payment_batches WHERE client_id = :client_id AND idempotency_key = :key"
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as first sent; `refused` maps a position to (code, field, message)."""

    item_hashes: list[bytes]
    refused: Mapping[int, RefusedItem]


async def save_new(
    connection: AsyncConnection,
    *,
    client_id: str,
    key: str,
    item_hashes: Sequence[bytes],
    refused: Mapping[int, RefusedItem],
    at: datetime,
) -> bool:
    """Insert the batch; False if its key is taken (a concurrent holder is waited for)."""
    parameters = {
        "client_id": client_id,
        "key": key,
        "item_hashes": list(item_hashes),
        "refused": orjson.dumps({str(i): why for i, why in refused.items()}).decode(),
        "at": at,
    }
    return (await connection.execute(_INSERT, parameters)).first() is not None


async def load(connection: AsyncConnection, *, client_id: str, key: str) -> StoredBatch:
    """Return a batch that exists."""
    row = (await connection.execute(_LOAD, {"client_id": client_id, "key": key})).one()
    refused = {int(i): (why[0], why[1], why[2]) for i, why in orjson.loads(row.refused).items()}
    return StoredBatch(list(row.item_hashes), refused)
