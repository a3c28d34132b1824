"""Find what a statement is made of: the account, and where it stood when the period began and ended."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.statement import PastBalance, Period, Position, Statement
from account_service.operations.read_accounts import read_account
from account_service.persistence.entries import (
    MAX_ENTRY_NUMBER,
    EntryView,
    EntryWindow,
    list_entries,
    position_at,
    position_before,
)
from account_service.persistence.held_changes import held_before

# The database keeps times to the microsecond: up to and with an instant is before the next one.
_TICK = timedelta(microseconds=1)
_PAGE = 1000

Snapshot = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


class NoSuchPlace(Exception):
    """The numbers name no part of the account's history."""


async def read_past_balance(
    connection: AsyncConnection, client_id: str, reference: str, at: datetime
) -> PastBalance:
    """What was posted and held at that instant, with all that was done then. Raises AccountNotFound."""
    account = (await read_account(connection, client_id, reference)).account
    position = await position_before(connection, account.id, at + _TICK)
    return PastBalance(account, at, position, await held_before(connection, account.id, at + _TICK))


async def read_bounds(
    connection: AsyncConnection, account_id: int, begin: datetime | None, end: datetime | None
) -> tuple[int, int]:
    """The number of the last entry before the period, and of the last one within it."""
    first = 0 if begin is None else (await position_before(connection, account_id, begin)).entry_number
    if end is None:
        return first, MAX_ENTRY_NUMBER - 1
    return first, (await position_before(connection, account_id, end)).entry_number


async def read_statement(
    connection: AsyncConnection, client_id: str, reference: str, period: Period
) -> Statement:
    """The statement as it stands in this snapshot. Raises AccountNotFound."""
    record = await read_account(connection, client_id, reference)
    opening = await position_before(connection, record.account.id, period.begin)
    closing = await position_before(connection, record.account.id, period.end)
    # Clocks that were set back may let a period end before it begins: it has no lines then.
    return Statement(record.account, period, opening, max(opening, closing, key=lambda one: one.entry_number))


async def resume_statement(
    connection: AsyncConnection, client_id: str, reference: str, period: Period, *, first: int, last: int
) -> Statement:
    """The statement as it was begun, whatever was posted since. Raises AccountNotFound and NoSuchPlace."""
    record = await read_account(connection, client_id, reference)
    opening = await position_at(connection, record.account.id, first)
    closing = await position_at(connection, record.account.id, last)
    if opening is None or closing is None or first > last:
        raise NoSuchPlace
    return Statement(record.account, period, opening, closing)


async def read_lines(
    connection: AsyncConnection, statement: Statement, *, after: int, limit: int
) -> Sequence[EntryView]:
    """At most `limit` of the statement's entries with a number above `after`, each continuing the balance.

    Raises NoSuchPlace when `after` lies outside the statement.
    """
    if not statement.opening.entry_number <= after <= statement.closing.entry_number:
        raise NoSuchPlace
    window = EntryWindow(above=after, below=statement.closing.entry_number + 1, newest_first=False)
    lines = await list_entries(connection, statement.account.id, window, limit=limit)
    if lines:
        place = Position(after, lines[0].balance_after_minor - lines[0].amount_minor)
        for line in lines:
            place = _follow(statement, place, line)
    return lines


async def all_lines(snapshot: Snapshot, statement: Statement) -> AsyncIterator[Sequence[EntryView]]:
    """Every line in pages, each read in a snapshot of its own: however slowly they are taken, no connection
    is held meanwhile. What they come to is checked against the closing balance before the end."""
    place = statement.opening
    while place.entry_number < statement.closing.entry_number:
        async with snapshot() as connection:
            lines = await read_lines(connection, statement, after=place.entry_number, limit=_PAGE)
        assert lines, "entries are numbered without a gap"
        for line in lines:
            place = _follow(statement, place, line)
        yield lines
    statement.assert_closed(place)


def _follow(statement: Statement, place: Position, line: EntryView) -> Position:
    return statement.follow(
        place,
        entry_number=line.entry_number,
        amount_minor=line.amount_minor,
        balance_minor=line.balance_after_minor,
    )
