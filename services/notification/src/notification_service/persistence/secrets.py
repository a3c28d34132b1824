"""Signing secrets. No other module reads or writes them: here a key-encryption key will wrap them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.signing import SigningSecret

_INSERT = text(
    """
    INSERT INTO webhook_secrets (id, endpoint_id, secret, created_at)
    VALUES (:id, :endpoint_id, :secret, :created_at)
    """
)
_EXPIRE_CURRENT = text(
    """
    UPDATE webhook_secrets SET expires_at = :expires_at
    WHERE endpoint_id = :endpoint_id AND (expires_at IS NULL OR expires_at > :expires_at)
    """
)
# The newest first; older ones sign along only while their overlap lasts, and never more than the limit.
_LOAD_LIVE = text(
    """
    SELECT endpoint_id, secret FROM (
        SELECT endpoint_id, secret, row_number() OVER (
            PARTITION BY endpoint_id ORDER BY expires_at DESC NULLS FIRST, created_at DESC, id DESC) AS place
        FROM webhook_secrets
        WHERE endpoint_id = ANY(CAST(:endpoint_ids AS uuid[]))
          AND (expires_at IS NULL OR expires_at > :now)
    ) AS live
    WHERE place <= :limit ORDER BY endpoint_id, place
    """
)


async def insert(
    connection: AsyncConnection, *, secret_id: UUID, endpoint_id: UUID, secret: SigningSecret, at: datetime
) -> None:
    """Store the endpoint's current secret; the one before must have been given its end."""
    await connection.execute(
        _INSERT, {"id": secret_id, "endpoint_id": endpoint_id, "secret": secret.key, "created_at": at}
    )


async def expire(connection: AsyncConnection, *, endpoint_id: UUID, at: datetime) -> None:
    """No secret that the endpoint has now outlives `at`."""
    await connection.execute(_EXPIRE_CURRENT, {"endpoint_id": endpoint_id, "expires_at": at})


async def load_live(
    connection: AsyncConnection, endpoint_ids: Sequence[UUID], *, now: datetime, limit: int
) -> Mapping[UUID, Sequence[SigningSecret]]:
    """For each endpoint the secrets that sign at `now`, the current one first."""
    rows = await connection.execute(
        _LOAD_LIVE, {"endpoint_ids": list(endpoint_ids), "now": now, "limit": limit}
    )
    live: dict[UUID, list[SigningSecret]] = {}
    for row in rows:
        live.setdefault(row.endpoint_id, []).append(SigningSecret(bytes(row.secret)))
    return live
