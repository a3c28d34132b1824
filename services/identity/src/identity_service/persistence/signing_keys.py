"""The keys that sign tokens, and the append-only record of their states."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.signing_key import SigningKey, SigningState

_COLUMNS = """kid, state, public_key, sealed_key, key_encryption_key, made_at, activated_at, retired_at,
    verify_until"""
# One rotation at a time, and the first keys are made by one process.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('signing-keys', 0))")
_CURRENT = text(f"SELECT {_COLUMNS} FROM signing_keys WHERE state = :state")  # noqa: S608
_VERIFYING = text(
    f"""
    SELECT {_COLUMNS} FROM signing_keys WHERE verify_until IS NULL OR verify_until > :now
    ORDER BY made_at, kid
    """  # noqa: S608
)
_LIST = text(f"SELECT {_COLUMNS} FROM signing_keys ORDER BY made_at DESC, kid LIMIT :limit")  # noqa: S608
_INSERT = text(
    f"""
    INSERT INTO signing_keys ({_COLUMNS})
    VALUES (:kid, :state, :public_key, :sealed_key, :key_encryption_key, :made_at, :activated_at, :retired_at,
        :verify_until)
    """  # noqa: S608
)
_SAVE = text(
    """
    UPDATE signing_keys SET state = :state, activated_at = :activated_at, retired_at = :retired_at,
        verify_until = :verify_until
    WHERE kid = :kid
    """
)
_OF_OTHERS = text(
    f"SELECT {_COLUMNS} FROM signing_keys WHERE key_encryption_key <> :active ORDER BY kid"  # noqa: S608
)
_SAVE_SEAL = text(
    """
    UPDATE signing_keys SET sealed_key = :sealed_key, key_encryption_key = :key_encryption_key
    WHERE kid = :kid
    """
)
_RECORD = text(
    """
    INSERT INTO signing_key_changes (id, kid, state, author, changed_at)
    VALUES (:id, :kid, :state, :author, :changed_at)
    """
)


async def lock(connection: AsyncConnection) -> None:
    """Wait for whoever changes the keys; until the transaction's end nobody else does."""
    await connection.execute(_LOCK)


async def current(connection: AsyncConnection, state: SigningState) -> SigningKey | None:
    """The key that signs, or the one that stands by."""
    row = (await connection.execute(_CURRENT, {"state": state.value})).one_or_none()
    return None if row is None else _key(row)


async def verifying(connection: AsyncConnection, *, now: datetime) -> Sequence[SigningKey]:
    """Every key by which a token may be believed, oldest first."""
    return [_key(row) for row in await connection.execute(_VERIFYING, {"now": now})]


async def list_newest(connection: AsyncConnection, *, limit: int) -> Sequence[SigningKey]:
    """The keys, newest first."""
    return [_key(row) for row in await connection.execute(_LIST, {"limit": limit})]


async def insert(connection: AsyncConnection, key: SigningKey) -> None:
    """Keep a new key."""
    fixed = {
        "public_key": key.public_key,
        "sealed_key": key.sealed,
        "key_encryption_key": key.key_encryption_key,
        "made_at": key.made_at,
    }
    await connection.execute(_INSERT, _standing(key) | fixed)


async def save_state(connection: AsyncConnection, key: SigningKey) -> None:
    """Keep where the key stands."""
    await connection.execute(_SAVE, _standing(key))


async def sealed_by_others(connection: AsyncConnection, *, active: str) -> Sequence[SigningKey]:
    """Every key that is not sealed under the active key-encryption key."""
    return [_key(row) for row in await connection.execute(_OF_OTHERS, {"active": active})]


async def save_seal(connection: AsyncConnection, key: SigningKey) -> None:
    """Keep the private half as it is sealed now."""
    parameters = {"kid": key.kid, "sealed_key": key.sealed, "key_encryption_key": key.key_encryption_key}
    await connection.execute(_SAVE_SEAL, parameters)


async def record_change(
    connection: AsyncConnection, key: SigningKey, *, change_id: UUID, author: str, at: datetime
) -> None:
    """Write down the state that the key has come to."""
    parameters = {
        "id": change_id,
        "kid": key.kid,
        "state": key.state.value,
        "author": author,
        "changed_at": at,
    }
    await connection.execute(_RECORD, parameters)


def _standing(key: SigningKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "state": key.state.value,
        "activated_at": key.activated_at,
        "retired_at": key.retired_at,
        "verify_until": key.verify_until,
    }


def _key(row: Any) -> SigningKey:
    return SigningKey(
        kid=row.kid,
        state=SigningState(row.state),
        public_key=row.public_key,
        sealed=row.sealed_key,
        key_encryption_key=row.key_encryption_key,
        made_at=row.made_at,
        activated_at=row.activated_at,
        retired_at=row.retired_at,
        verify_until=row.verify_until,
    )
