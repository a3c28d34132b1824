"""The history of each account's overdraft: written once, read in order."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import OverdraftChange

_RECORD = text(
    """
    INSERT INTO account_overdraft_changes (account_id, previous_minor, overdraft_minor, reason, author,
        changed_at, proposal_id)
    VALUES (:account_id, :previous_minor, :overdraft_minor, :reason, :author, :changed_at, :proposal_id)
    """
)
_LIST = text(
    """
    SELECT id, account_id, previous_minor, overdraft_minor, reason, author, changed_at, proposal_id
    FROM account_overdraft_changes
    WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :limit
    """
)


async def record_overdraft_change(connection: AsyncConnection, change: OverdraftChange) -> None:
    """Write the change; it can never be altered."""
    await connection.execute(
        _RECORD,
        {
            "account_id": change.account_id,
            "previous_minor": change.previous_minor,
            "overdraft_minor": change.overdraft_minor,
            "reason": change.reason,
            "author": change.author,
            "changed_at": change.changed_at,
            "proposal_id": change.proposal_id,
        },
    )


async def list_overdraft_changes(
    connection: AsyncConnection, account_id: int, *, before: int, limit: int
) -> list[tuple[int, OverdraftChange]]:
    """The account's changes with a number below `before`, newest first, each with its number."""
    rows = await connection.execute(_LIST, {"account_id": account_id, "before": before, "limit": limit})
    return [(row.id, OverdraftChange(*row[1:])) for row in rows]
