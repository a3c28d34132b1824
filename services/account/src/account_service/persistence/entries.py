"""An account's entries in pages, each with its running balance and what it belongs to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.posting import PostingKind
from account_service.domain.statement import BEGINNING, Position

# Of `entries e`, `postings p` and `other`, the account on the other side.
ENTRY_COLUMNS = """e.entry_number, e.posting_id, p.payment_id, p.kind, e.amount_minor, e.currency,
    e.balance_after_minor, other.reference AS counterparty, p.reference, p.description, p.reverses,
    p.captures, e.posted_at"""
_SELECT = f"""
    SELECT {ENTRY_COLUMNS}
    FROM entries e
    JOIN postings p ON p.id = e.posting_id
    LEFT JOIN LATERAL (
        SELECT a.reference FROM entries o JOIN accounts a ON a.id = o.account_id
        WHERE o.posting_id = e.posting_id AND o.leg <> e.leg ORDER BY o.leg LIMIT 1) AS other ON true
    WHERE e.account_id = :account_id AND e.entry_number > :above AND e.entry_number < :below
    ORDER BY e.entry_number
"""  # noqa: S608  constants
_NEWEST_FIRST = text(f"{_SELECT} DESC LIMIT :limit")
_OLDEST_FIRST = text(f"{_SELECT} ASC LIMIT :limit")
# The highest of the latest, not the latest: where two processes' clocks differ by a little, entries that
# follow one another bear times that do not.
_POSITION_BEFORE = text(
    """
    SELECT e.entry_number, e.balance_after_minor FROM entries e
    WHERE e.account_id = :account_id AND e.entry_number = (
        SELECT max(latest.entry_number) FROM (
            SELECT t.entry_number FROM entries t
            WHERE t.account_id = :account_id AND t.posted_at < :moment
            ORDER BY t.posted_at DESC, t.entry_number DESC LIMIT :look_back) AS latest)
    """
)
_POSITION_AT = text(
    """
    SELECT e.entry_number, e.balance_after_minor FROM entries e
    WHERE e.account_id = :account_id AND e.entry_number = :entry_number
    """
)
# How many of the latest are looked through for the highest.
LOOK_BACK = 1000

MAX_ENTRY_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWindow:
    """Which entries are wanted: numbers strictly between."""

    above: int = 0
    below: int = MAX_ENTRY_NUMBER
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
    captures: UUID | None
    posted_at: datetime


async def position_before(connection: AsyncConnection, account_id: int, moment: datetime) -> Position:
    """Where the account stood when that moment came: after all its entries of earlier times."""
    parameters = {"account_id": account_id, "moment": moment, "look_back": LOOK_BACK}
    row = (await connection.execute(_POSITION_BEFORE, parameters)).one_or_none()
    return BEGINNING if row is None else Position(row.entry_number, row.balance_after_minor)


async def position_at(connection: AsyncConnection, account_id: int, entry_number: int) -> Position | None:
    """Where the account stood after so many entries; None if it has never had as many."""
    if entry_number == BEGINNING.entry_number:
        return BEGINNING
    parameters = {"account_id": account_id, "entry_number": entry_number}
    row = (await connection.execute(_POSITION_AT, parameters)).one_or_none()
    return None if row is None else Position(row.entry_number, row.balance_after_minor)


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
            "limit": limit,
        },
    )
    return [read_entry(row) for row in rows]


def read_entry(row: Row[Any]) -> EntryView:
    """The entry as a row with the columns above has it."""
    return EntryView(
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
        row.captures,
        row.posted_at,
    )
