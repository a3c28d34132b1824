"""A statement as CSV (RFC 4180): one row a line, the opening balance before and the closing one after them.

A spreadsheet runs what looks like a formula. Texts that other people chose are quoted, and whatever in them
could begin a formula, in this cell or in one that a reader with another separator would find in it, gets an
apostrophe before it.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

from contracts.money import Money, format_decimal

from account_service.domain.statement import Statement
from account_service.persistence.entries import EntryView

COLUMNS = (
    *("row", "entry_number", "posted_at", "kind", "amount", "currency", "balance", "counterparty"),
    *("reference", "description", "posting_id", "payment_id", "reverses"),
)
# The wide forms too: some spreadsheets take them for the narrow ones.
_FORMULA = re.compile(r"(^|[,;\t|])(\s*)(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")


async def statement_csv(
    statement: Statement, pages: AsyncIterator[Sequence[EntryView]]
) -> AsyncIterator[str]:
    """The file in pieces; amounts with exactly the currency's decimals, times in UTC."""
    yield _rows([COLUMNS, _balance(statement, "opening", statement.period.begin)])
    async for lines in pages:
        yield _rows(_line(line) for line in lines)
    # Last, so that a file which was cut off shows it.
    yield _rows([_balance(statement, "closing", statement.period.end)])


def harmless(text: str | None) -> str:
    """The text for a spreadsheet's cell: shown as it is, and never run."""
    return "" if text is None else _FORMULA.sub(r"\1\2'", text)


def in_utc(moment: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _rows(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def _line(line: EntryView) -> Sequence[str]:
    return (
        "entry",
        str(line.entry_number),
        in_utc(line.posted_at),
        line.kind.value,
        _decimal(line.amount_minor, line.currency),
        line.currency,
        _decimal(line.balance_after_minor, line.currency),
        harmless(line.counterparty),
        harmless(line.reference),
        harmless(line.description),
        str(line.posting_id),
        str(line.payment_id or ""),
        str(line.reverses or ""),
    )


def _balance(statement: Statement, row: str, at: datetime) -> Sequence[str]:
    position = statement.opening if row == "opening" else statement.closing
    currency = statement.account.currency
    told = {
        "row": row,
        "entry_number": str(position.entry_number),
        "posted_at": in_utc(at),
        "currency": currency,
        "balance": _decimal(position.balance_minor, currency),
    }
    return [told.get(column, "") for column in COLUMNS]


def _decimal(amount_minor: int, currency: str) -> str:
    return format_decimal(Money(amount_minor, currency))
