"""An account's entries in pages, each with its running balance and what it belongs to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.posting import PostingKind

_SELECT = """
    SELECT e.entry_number, e.posting_id, p.payment_id, p.kind, e.amount_minor, e.currency,
           e.balance_after_minor, other.reference AS counterparty, p.reference, p.description, p.reverses,
           e.posted_at
    FROM entries e
    JOIN postings p ON p.id = e.posting_id
    LEFT JOIN LATERAL (
        SELECT a.reference FROM entries o JOIN accounts a ON a.id = o.account_id
        WHERE o.posting_id = e.posting_id AND o.leg <> e.leg ORDER BY o.leg LIMIT 1) AS other ON true
    WHERE e.account_id = :account_id AND e.entry_number > :above AND e.entry_number < :below
      AND (CAST(:posted_from AS timestamptz) IS NULL OR e.posted_at >= :posted_from)
      AND (CAST(:posted_to AS timestamptz) IS NULL OR e.posted_at < :posted_to)
    ORDER BY e.entry_number
"""
_NEWEST_FIRST = text(f"{_SELECT} DESC LIMIT :limit")
_OLDEST_FIRST = text(f"{_SELECT} ASC LIMIT :limit")

MAX_ENTRY_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWindow:
    """Which entries are wanted: numbers strictly between, times from inclusive to exclusive."""

    above: int = 0
    below: int = MAX_ENTRY_NUMBER
    posted_from: datetime | None = None
    posted_to: datetime | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry as its account's holder sees it; `counterparty` is the other account's reference."""

    entry_number: int
    posting_id: UUID
    payment_id: UUID | None
    kind: PostingKind
    amount_minor: int
    currency: str
    balance_after_minor: int
    counterparty: str | None
    reference: str | None
    description: str | None
    reverses: UUID | None
    posted_at: datetime


async def list_entries(
    connection: AsyncConnection, account_id: int, window: EntryWindow, *, limit: int
) -> list[EntryView]:
    """At most `limit` of the account's entries within the window, by number."""
    statement = _NEWEST_FIRST if window.newest_first else _OLDEST_FIRST
    rows = await connection.execute(
        statement,
        {
            "account_id": account_id,
            "above": window.above,
            "below": window.below,
            "posted_from": window.posted_from,
            "posted_to": window.posted_to,
            "limit": limit,
        },
    )
    return [
        EntryView(
            row.entry_number,
            row.posting_id,
            row.payment_id,
            PostingKind(row.kind),
            row.amount_minor,
            row.currency,
            row.balance_after_minor,
            row.counterparty,
            row.reference,
            row.description,
            row.reverses,
            row.posted_at,
        )
        for row in rows
    ]
