"""API keys, of which only digests are kept, and the append-only record of what happened to them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import ApiKey, KeyChange

_COLUMNS = """id, prefix, client_id, label, scopes, issued_at, not_after, replaces, revoked_at,
    last_used_at"""
_INSERT = text(
    """
    INSERT INTO api_keys (id, prefix, client_id, label, digest, scopes, issued_at, not_after, replaces)
    VALUES (:id, :prefix, :client_id, :label, :digest, :scopes, :issued_at, :not_after, :replaces)
    """
)
_SAVE_END = text("UPDATE api_keys SET not_after = :not_after, revoked_at = :revoked_at WHERE id = :id")
_LOAD = text(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND client_id = :client_id")  # noqa: S608
_IS_REPLACED = text("SELECT EXISTS (SELECT FROM api_keys WHERE replaces = :id)")
_FIND = text(f"SELECT {_COLUMNS}, digest FROM api_keys WHERE prefix = :prefix")  # noqa: S608
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM api_keys
    WHERE client_id = :client_id AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
    ORDER BY id LIMIT :limit
    """  # noqa: S608
)
_RECORD = text(
    """
    INSERT INTO api_key_changes (id, key_id, change, reason, author, changed_at)
    VALUES (:id, :key_id, :change, :reason, :author, :changed_at)
    """
)
# In one order: two processes that record the uses of the same keys would deadlock.
_RECORD_USES = text(
    """
    UPDATE api_keys SET last_used_at = used.at
    FROM (
        SELECT k.id, u.at
        FROM unnest(CAST(:prefixes AS text[]), CAST(:times AS timestamptz[])) AS u (prefix, at)
        JOIN api_keys k ON k.prefix = u.prefix AND (k.last_used_at IS NULL OR k.last_used_at < u.at)
        ORDER BY k.id FOR NO KEY UPDATE OF k
    ) AS used
    WHERE api_keys.id = used.id
    """
)


async def insert(connection: AsyncConnection, key: ApiKey, *, digest: bytes) -> None:
    """Keep a new key."""
    parameters = {
        "id": key.id,
        "prefix": key.prefix,
        "client_id": key.client_id,
        "label": key.label,
        "digest": digest,
        "scopes": sorted(key.scopes),
        "issued_at": key.issued_at,
        "not_after": key.not_after,
        "replaces": key.replaces,
    }
    await connection.execute(_INSERT, parameters)


async def save_end(connection: AsyncConnection, key: ApiKey) -> None:
    """Keep when the key ends."""
    parameters = {"id": key.id, "not_after": key.not_after, "revoked_at": key.revoked_at}
    await connection.execute(_SAVE_END, parameters)


async def load(connection: AsyncConnection, key_id: UUID, *, client_id: str) -> ApiKey | None:
    """The client's key; another client's is as absent."""
    row = (await connection.execute(_LOAD, {"id": key_id, "client_id": client_id})).one_or_none()
    return None if row is None else _key(row)


async def is_replaced(connection: AsyncConnection, key_id: UUID) -> bool:
    """Whether another key was issued in this one's place."""
    return bool(await connection.scalar(_IS_REPLACED, {"id": key_id}))


async def find(connection: AsyncConnection, prefix: str) -> tuple[ApiKey, bytes] | None:
    """The key of this prefix, with its digest."""
    row = (await connection.execute(_FIND, {"prefix": prefix})).one_or_none()
    return None if row is None else (_key(row), row.digest)


async def list_page(
    connection: AsyncConnection, client_id: str, *, after: UUID | None, limit: int
) -> Sequence[ApiKey]:
    """The client's keys, oldest first, ended ones too."""
    rows = await connection.execute(_LIST, {"client_id": client_id, "after": after, "limit": limit})
    return [_key(row) for row in rows]


async def record_change(
    connection: AsyncConnection,
    *,
    change_id: UUID,
    key_id: UUID,
    change: KeyChange,
    reason: str | None,
    author: str,
    at: datetime,
) -> None:
    """Append to the key's history."""
    parameters = {
        "id": change_id,
        "key_id": key_id,
        "change": change.value,
        "reason": reason,
        "author": author,
        "changed_at": at,
    }
    await connection.execute(_RECORD, parameters)


async def record_uses(connection: AsyncConnection, used_at: Mapping[str, datetime]) -> None:
    """Keep when keys were last used, by prefix; a later time that is known stands."""
    await connection.execute(_RECORD_USES, {"prefixes": list(used_at), "times": list(used_at.values())})


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        prefix=row.prefix,
        client_id=row.client_id,
        label=row.label,
        scopes=frozenset(row.scopes),
        issued_at=row.issued_at,
        not_after=row.not_after,
        replaces=row.replaces,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
