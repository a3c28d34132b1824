"""Entries as auditors ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.audit import chain

_WANTED = f"""
    SELECT {chain.COLUMNS}, s.position, s.hash FROM audit_entries e
    LEFT JOIN audit_seals s ON s.entry_id = e.id
    WHERE (CAST(:actor AS text) IS NULL OR e.actor = :actor)
      AND (CAST(:action AS text) IS NULL OR e.action = :action)
      AND (CAST(:subject AS text) IS NULL OR e.subject = :subject)
      AND (CAST(:since AS timestamptz) IS NULL OR e.at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR e.at < :until)
      AND (CAST(:before_at AS timestamptz) IS NULL OR (e.at, e.id) < (:before_at, :before_id))
"""  # noqa: S608
_NEWEST = "ORDER BY e.at DESC, e.id DESC LIMIT :limit"
# A client's log: what was done to its things, whoever did it, and what its own people did elsewhere.
_LIST = text(
    f"""
    (({_WANTED} AND e.client_id = :client_id {_NEWEST})
     UNION ALL
     ({_WANTED} AND e.by_client_id = :client_id AND e.by_client_id <> e.client_id {_NEWEST}))
    ORDER BY at DESC, id DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries: None leaves a filter out; `since` is inclusive, `until` exclusive."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An entry in its canonical form, with its place in the chain and its hash once it is sealed."""

    at: datetime
    form: Mapping[str, Any]
    position: int | None
    hash: bytes | None


async def list_entries(
    connection: AsyncConnection,
    client_id: str,
    wanted: Wanted,
    *,
    before: tuple[datetime, int] | None,
    limit: int,
) -> list[Told]:
    """Up to `limit` entries of the client's log that are older than `before` (time and id), newest first."""
    before_at, before_id = before or (None, None)
    parameters = {
        "client_id": client_id,
        "actor": wanted.actor,
        "action": wanted.action,
        "subject": wanted.subject,
        "since": wanted.since,
        "until": wanted.until,
        "before_at": before_at,
        "before_id": before_id,
        "limit": limit,
    }
    rows = (await connection.execute(_LIST, parameters)).mappings()
    return [Told(row["at"], chain.form_of(row), row["position"], row["hash"]) for row in rows]
