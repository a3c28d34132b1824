"""What every service has to know to tell good keys and tokens from bad: read at one instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_VERSION = text("SELECT number FROM trust_version")
_KEYS = text(
    """
    SELECT k.prefix, k.client_id, encode(k.digest, 'hex') AS digest, k.scopes, k.not_after
    FROM api_keys k JOIN clients c ON c.id = k.client_id
    WHERE k.revoked_at IS NULL AND (k.not_after IS NULL OR k.not_after > :now) AND c.status = 'active'
    ORDER BY k.prefix
    """
)
_REVOKED = text(
    """
    SELECT kind, subject, max(coalesce(issued_until, told_until)) AS at FROM revocations
    WHERE told_until > :now GROUP BY kind, subject ORDER BY kind, subject
    """
)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that opens something now. `digest` in hex."""

    prefix: str
    client_id: str
    digest: str
    scopes: Sequence[str]
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Trust:
    """`revoked` by kind and subject: until when tokens were issued that are, or the one's expiry."""

    keys: Sequence[TrustedKey]
    revoked: Mapping[str, Mapping[str, datetime]]


async def read_version(connection: AsyncConnection) -> int:
    """A number that rises with each change of what the feed tells."""
    return int(await connection.scalar(_VERSION) or 0)


async def read_trust(connection: AsyncConnection, *, now: datetime) -> Trust:
    """Keys and revocations that matter now."""
    keys = [
        TrustedKey(row.prefix, row.client_id, row.digest, row.scopes, row.not_after)
        for row in await connection.execute(_KEYS, {"now": now})
    ]
    revoked: dict[str, dict[str, datetime]] = {"client": {}, "person": {}, "token": {}}
    for row in await connection.execute(_REVOKED, {"now": now}):
        revoked[row.kind][row.subject] = row.at
    return Trust(keys, revoked)
