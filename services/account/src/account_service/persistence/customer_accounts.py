"""Which accounts are a customer's, one a currency, and the entries of all of them in one history."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.kyc import KycLevel
from account_service.persistence.entries import ENTRY_COLUMNS, MAX_ENTRY_NUMBER, EntryView, read_entry

_LINK = text(
    """
    INSERT INTO customer_accounts (customer_id, currency, account_id, opened_at)
    SELECT :customer_id, a.currency, a.id, :at FROM accounts a
    WHERE a.client_id = :client_id AND a.reference = :reference
    """
)
# In id order, as whoever moves money locks them.
_LOCK = text(
    """
    SELECT a.id FROM customer_accounts w JOIN accounts a ON a.id = w.account_id
    WHERE w.customer_id = :customer_id ORDER BY a.id FOR UPDATE OF a
    """
)
_SAVE_LEVEL = text(
    "UPDATE accounts SET kyc_level = :level, updated_at = :at WHERE id = ANY(CAST(:ids AS bigint[]))"
)
_REFERENCES = text(
    """
    SELECT w.customer_id, w.currency, a.reference
    FROM customer_accounts w JOIN accounts a ON a.id = w.account_id
    WHERE w.customer_id = ANY(CAST(:customer_ids AS uuid[])) ORDER BY a.id
    """
)
# Each account's own newest (or oldest) entries by its index, and then the first of all of them.
_SELECT = """
    SELECT a.reference AS account, e.account_id, {columns}
    FROM (
        SELECT own.* FROM customer_accounts w
        CROSS JOIN LATERAL (
            SELECT e.* FROM entries e
            WHERE e.account_id = w.account_id {bounds}
              AND (CAST(:posted_from AS timestamptz) IS NULL OR e.posted_at >= :posted_from)
              AND (CAST(:posted_to AS timestamptz) IS NULL OR e.posted_at < :posted_to)
            ORDER BY e.posted_at {order}, e.account_id {order}, e.entry_number {order} LIMIT :limit) AS own
        WHERE w.customer_id = :customer_id
        ORDER BY own.posted_at {order}, own.account_id {order}, own.entry_number {order} LIMIT :limit) AS e
    JOIN postings p ON p.id = e.posting_id
    JOIN accounts a ON a.id = e.account_id
    LEFT JOIN LATERAL (
        SELECT b.reference FROM entries o JOIN accounts b ON b.id = o.account_id
        WHERE o.posting_id = e.posting_id AND o.leg <> e.leg ORDER BY o.leg LIMIT 1) AS other ON true
    ORDER BY e.posted_at {order}, e.account_id {order}, e.entry_number {order}
"""
# The first line is what an index can begin at; the second settles what has the same instant.
_BOUNDS = """
    AND e.posted_at {sign}= CAST(:at AS timestamptz)
    AND (e.posted_at, e.account_id, e.entry_number)
        {sign} (CAST(:at AS timestamptz), CAST(:account_id AS bigint), CAST(:entry_number AS bigint))
"""
_NEWEST_FIRST = text(_SELECT.format(columns=ENTRY_COLUMNS, order="DESC", bounds=_BOUNDS.format(sign="<")))
_OLDEST_FIRST = text(_SELECT.format(columns=ENTRY_COLUMNS, order="ASC", bounds=_BOUNDS.format(sign=">")))


@dataclass(frozen=True, slots=True)
class HistoryPosition:
    """Where a page of a customer's history begins: after this entry, in the order of time."""

    posted_at: datetime
    account_id: int
    entry_number: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of one of a customer's accounts, and its position in the whole history."""

    account: str
    entry: EntryView
    position: HistoryPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryWindow:
    """Which entries are wanted: after a position, times from inclusive to exclusive."""

    after: HistoryPosition
    posted_from: datetime | None = None
    posted_to: datetime | None = None
    newest_first: bool = True


async def link_account(
    connection: AsyncConnection, customer_id: UUID, client_id: str, reference: str, *, at: datetime
) -> None:
    """Make an account the customer's; it stays so for ever."""
    parameters = {"customer_id": customer_id, "client_id": client_id, "reference": reference, "at": at}
    result = await connection.execute(_LINK, parameters)
    assert result.rowcount == 1, "the account was just opened"


async def save_level(
    connection: AsyncConnection, customer_id: UUID, level: KycLevel, *, at: datetime
) -> None:
    """Tell all accounts of a locked customer the level by which they are limited."""
    locked = await connection.execute(_LOCK, {"customer_id": customer_id})
    parameters = {"ids": [row.id for row in locked], "level": level.value, "at": at}
    await connection.execute(_SAVE_LEVEL, parameters)


async def load_wallets(
    connection: AsyncConnection, customer_ids: Iterable[UUID]
) -> dict[UUID, dict[str, str]]:
    """The references of each customer's accounts by currency, in the order in which they were opened."""
    wallets: dict[UUID, dict[str, str]] = {customer_id: {} for customer_id in customer_ids}
    for row in await connection.execute(_REFERENCES, {"customer_ids": list(wallets)}):
        wallets[row.customer_id][row.currency] = row.reference
    return wallets


async def list_history(
    connection: AsyncConnection, customer_id: UUID, window: HistoryWindow, *, limit: int
) -> list[HistoryEntry]:
    """At most `limit` entries of all the customer's accounts, by time, account and number."""
    statement = _NEWEST_FIRST if window.newest_first else _OLDEST_FIRST
    parameters = {
        "customer_id": customer_id,
        "at": window.after.posted_at,
        "account_id": window.after.account_id,
        "entry_number": min(window.after.entry_number, MAX_ENTRY_NUMBER),
        "posted_from": window.posted_from,
        "posted_to": window.posted_to,
        "limit": limit,
    }
    return [_history_entry(row) for row in await connection.execute(statement, parameters)]


def _history_entry(row: Any) -> HistoryEntry:
    return HistoryEntry(
        row.account, read_entry(row), HistoryPosition(row.posted_at, row.account_id, row.entry_number)
    )
