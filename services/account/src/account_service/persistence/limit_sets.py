"""The sets of limits in force, and every change of them: written once, read in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.limits import Limit, LimitScope, LimitSet

# Constants, so that no statement below is built from anything a caller says (S608).
_FIGURES = ", ".join(limit.value for limit in Limit)
_FIGURES_OF_C = ", ".join(f"c.{limit.value}" for limit in Limit)
_THEIRS = ", ".join(f":{limit.value}" for limit in Limit)
_OVERWRITTEN = ", ".join(f"{limit.value} = EXCLUDED.{limit.value}" for limit in Limit)
_SUBJECT = """c.client_id = :client_id AND c.scope = :scope
    AND c.kyc_level IS NOT DISTINCT FROM CAST(:kyc_level AS text)
    AND c.account_id IS NOT DISTINCT FROM CAST(:account_id AS bigint)"""
_TOLD = f"c.id, c.currency, {_FIGURES_OF_C}, c.reason, c.author, c.changed_at, c.proposal_id"

# History and the set in force in one statement: neither can be without the other.
_SAVE = text(
    f"""
    WITH change AS (
        INSERT INTO limit_changes (client_id, currency, scope, kyc_level, account_id, {_FIGURES}, reason,
            author, changed_at, proposal_id)
        VALUES (:client_id, :currency, :scope, :kyc_level, :account_id, {_THEIRS}, :reason, :author, :at,
            :proposal_id)
        RETURNING *
    )
    INSERT INTO limit_sets (client_id, currency, scope, kyc_level, account_id, {_FIGURES}, change_id)
    SELECT client_id, currency, scope, kyc_level, account_id, {_FIGURES}, id FROM change
    ON CONFLICT (client_id, currency, scope, kyc_level, account_id)
        DO UPDATE SET {_OVERWRITTEN}, change_id = EXCLUDED.change_id
    """  # noqa: S608
)
_SAVE_LIMITED = text("UPDATE accounts SET limited = :limited WHERE id = :account_id")
_IN_FORCE = text(
    f"""
    SELECT {_TOLD} FROM limit_sets s JOIN limit_changes c ON c.id = s.change_id
    WHERE s.client_id = :client_id AND s.scope = :scope
      AND s.kyc_level IS NOT DISTINCT FROM CAST(:kyc_level AS text)
      AND s.account_id IS NOT DISTINCT FROM CAST(:account_id AS bigint)
    ORDER BY s.currency
    """  # noqa: S608
)
_HISTORY = text(
    f"SELECT {_TOLD} FROM limit_changes c WHERE {_SUBJECT} AND c.id < :before ORDER BY c.id DESC LIMIT :limit"  # noqa: S608
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSubject:
    """Whose limits: a client's default, those of one of its customers' KYC levels, or one account's."""

    client_id: str
    scope: LimitScope
    kyc_level: str | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChange:
    """A subject's set for a currency since `changed_at`, with its reason and author; `proposal_id` is what
    put it in force, if that took two."""

    id: int
    currency: str
    limits: LimitSet
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None = None


async def save_limits(
    connection: AsyncConnection,
    subject: LimitSubject,
    *,
    currency: str,
    limits: LimitSet,
    reason: str,
    author: str,
    at: datetime,
    proposal_id: UUID | None = None,
) -> None:
    """Put the set in force and into the history."""
    figures = {limit.value: figure for limit, figure in limits.figures().items()}
    facts = {"currency": currency, "reason": reason, "author": author, "at": at, "proposal_id": proposal_id}
    await connection.execute(_SAVE, _parameters(subject) | figures | facts)


async def save_limited(connection: AsyncConnection, account_id: int, *, limited: bool) -> None:
    """Say of an account that this transaction holds locked whether it has limits of its own."""
    await connection.execute(_SAVE_LIMITED, {"account_id": account_id, "limited": limited})


async def limits_in_force(connection: AsyncConnection, subject: LimitSubject) -> list[LimitChange]:
    """The subject's sets, one for each currency that ever had one, in the currencies' order."""
    rows = await connection.execute(_IN_FORCE, _parameters(subject))
    return [_change(row) for row in rows]


async def list_limit_changes(
    connection: AsyncConnection, subject: LimitSubject, *, before: int, limit: int
) -> Sequence[LimitChange]:
    """The subject's changes with a number below `before`, newest first."""
    rows = await connection.execute(_HISTORY, _parameters(subject) | {"before": before, "limit": limit})
    return [_change(row) for row in rows]


def _parameters(subject: LimitSubject) -> dict[str, Any]:
    return {
        "client_id": subject.client_id,
        "scope": subject.scope.value,
        "kyc_level": subject.kyc_level,
        "account_id": subject.account_id,
    }


def _change(row: Row[Any]) -> LimitChange:
    limits = LimitSet(**{limit.value: getattr(row, limit.value) for limit in Limit})
    return LimitChange(
        id=row.id,
        currency=row.currency,
        limits=limits,
        reason=row.reason,
        author=row.author,
        changed_at=row.changed_at,
        proposal_id=row.proposal_id,
    )
