"""The time zone of an account, and every change of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOAD = text("SELECT time_zone, kyc_level FROM accounts WHERE id = :account_id")
_SAVE = text(
    """
    WITH change AS (
        INSERT INTO account_time_zone_changes (account_id, previous, time_zone, reason, author, changed_at)
        VALUES (:account_id, :previous, :time_zone, :reason, :author, :at)
    )
    UPDATE accounts SET time_zone = :time_zone, updated_at = :at WHERE id = :account_id
    """
)
_LIST = text(
    """
    SELECT id, previous, time_zone, reason, author, changed_at FROM account_time_zone_changes
    WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class TimeZoneChange:
    """One change, with its reason and author."""

    id: int
    previous: str
    time_zone: str
    reason: str
    author: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class AccountPlace:
    """What an account's windows and limits depend on beside its sets; no level without a known customer."""

    time_zone: str
    kyc_level: str | None


async def place_of(connection: AsyncConnection, account_id: int) -> AccountPlace:
    """The account's time zone and its customer's KYC level."""
    row = (await connection.execute(_LOAD, {"account_id": account_id})).one()
    return AccountPlace(row.time_zone, row.kyc_level)


async def save_time_zone(
    connection: AsyncConnection,
    account_id: int,
    *,
    previous: str,
    time_zone: str,
    reason: str,
    author: str,
    at: datetime,
) -> None:
    """Move an account that this transaction holds locked; its usage is worked out anew for other windows."""
    parameters = {
        "account_id": account_id,
        "previous": previous,
        "time_zone": time_zone,
        "reason": reason,
        "author": author,
        "at": at,
    }
    await connection.execute(_SAVE, parameters)


async def list_time_zone_changes(
    connection: AsyncConnection, account_id: int, *, before: int, limit: int
) -> Sequence[TimeZoneChange]:
    """The account's changes with a number below `before`, newest first."""
    rows = await connection.execute(_LIST, {"account_id": account_id, "before": before, "limit": limit})
    return [TimeZoneChange(*row) for row in rows]
