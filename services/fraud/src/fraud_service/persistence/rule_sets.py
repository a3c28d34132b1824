"""Rule set versions. Append-only: a version, once published, never changes, so it may be cached for ever."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.rule_document import read_rule_set, write_rule_set
from fraud_service.domain.rules import PublishedRules, RuleSet


@dataclass(frozen=True, slots=True)
class RuleSetRecord:
    """A version with its provenance."""

    version: int
    based_on_version: int | None
    rule_set: RuleSet
    author: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RuleSetSummary:
    """A version in the history, without its rules."""

    version: int
    based_on_version: int | None
    author: str
    reason: str
    created_at: datetime
    rule_count: int


# A number pair that no other service of this database uses. Screening shares it, publishing excludes.
_LOCK = "(6714980, 1)"
_SHARE = Statement(f"SELECT pg_advisory_xact_lock_shared{_LOCK}")
_EXCLUDE = text(f"SELECT pg_advisory_xact_lock{_LOCK}")
_CURRENT_UNLESS_KNOWN = Statement(
    """
    SELECT version, CASE WHEN version <> CAST(:known_version AS integer) THEN rules END AS rules
    FROM rule_sets ORDER BY version DESC LIMIT 1
    """
)
_COLUMNS = "version, based_on_version, rules, author, reason, created_at"
_CURRENT = text(f"SELECT {_COLUMNS} FROM rule_sets ORDER BY version DESC LIMIT 1")  # noqa: S608 - constants
_BY_VERSION = text(f"SELECT {_COLUMNS} FROM rule_sets WHERE version = :version")  # noqa: S608 - constants
_HISTORY = text(
    """
    SELECT version, based_on_version, author, reason, created_at, jsonb_array_length(rules) AS rule_count
    FROM rule_sets WHERE version < :before_version ORDER BY version DESC LIMIT :limit
    """
)
_INSERT = text(
    """
    INSERT INTO rule_sets (version, based_on_version, rules, author, reason, created_at)
    VALUES (:version, :based_on_version, CAST(:rules AS jsonb), :author, :reason, :created_at)
    """
)


async def share(connection: AsyncConnection) -> None:
    """Keep the current version current until this transaction ends: publishing waits for it."""
    await _SHARE.rows(connection, {})


async def exclude(connection: AsyncConnection) -> None:
    """Wait until no payment is being screened, and let none begin until this transaction ends."""
    await connection.execute(_EXCLUDE)


async def load_published(connection: AsyncConnection, *, known: PublishedRules | None) -> PublishedRules:
    """The current rules; `known` itself if it is still current, which spares reading and checking them."""
    parameters = {"known_version": known.version if known is not None else 0}
    [(version, rules)] = await _CURRENT_UNLESS_KNOWN.rows(connection, parameters)
    if known is not None and version == known.version:
        return known
    return PublishedRules(version, read_rule_set(rules))


async def load_current(connection: AsyncConnection) -> RuleSetRecord:
    """The newest version. There always is one: the first comes with the schema."""
    return _record((await connection.execute(_CURRENT)).one())


async def load_version(connection: AsyncConnection, version: int) -> RuleSetRecord | None:
    """One version, or None if it was never published."""
    row = (await connection.execute(_BY_VERSION, {"version": version})).one_or_none()
    return _record(row) if row is not None else None


async def load_history(
    connection: AsyncConnection, *, before_version: int, limit: int
) -> Sequence[RuleSetSummary]:
    """Versions below `before_version`, newest first."""
    rows = await connection.execute(_HISTORY, {"before_version": before_version, "limit": limit})
    return [RuleSetSummary(**row._mapping) for row in rows]


async def save(connection: AsyncConnection, record: RuleSetRecord) -> None:
    """Publish a new version."""
    await connection.execute(
        _INSERT,
        {
            "version": record.version,
            "based_on_version": record.based_on_version,
            "rules": json.dumps(write_rule_set(record.rule_set)),
            "author": record.author,
            "reason": record.reason,
            "created_at": record.created_at,
        },
    )


def _record(row: Row[Any]) -> RuleSetRecord:
    return RuleSetRecord(
        version=row.version,
        based_on_version=row.based_on_version,
        rule_set=read_rule_set(row.rules),
        author=row.author,
        reason=row.reason,
        created_at=row.created_at,
    )
