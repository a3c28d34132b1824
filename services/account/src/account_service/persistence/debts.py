"""What payees who had spent it owe for the reversals that a receivable account paid in their place."""

from messaging.statement import Statement
from sqlalchemy.ext.asyncio import AsyncConnection

_OWED = Statement(
    """
    SELECT coalesce(-sum(e.amount_minor), 0)
    FROM postings p JOIN entries e ON e.posting_id = p.id
    WHERE p.owed_by = CAST(:account_id AS bigint) AND e.account_id = CAST(:receivable_id AS bigint)
    """
)


async def load_owed_minor(connection: AsyncConnection, account_id: int, *, receivable_id: int) -> int:
    """What the receivable account has paid in the place of this one, less what was paid back."""
    [row] = await _OWED.rows(connection, {"account_id": account_id, "receivable_id": receivable_id})
    return int(row[0])
