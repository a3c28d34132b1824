"""The history of each account's states: written once, read in order."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountState, StateChange

_RECORD = text(
    """
    INSERT INTO account_state_changes (account_id, previous, state, reason, author, changed_at,
        proposal_id)
    SELECT n.* FROM unnest(CAST(:account_ids AS bigint[]), CAST(:previous AS text[]), CAST(:states AS text[]),
        CAST(:reasons AS text[]), CAST(:authors AS text[]), CAST(:times AS timestamptz[]),
        CAST(:proposals AS uuid[])) AS n
    """
)
_LIST = text(
    """
    SELECT id, account_id, previous, state, reason, author, changed_at, proposal_id
    FROM account_state_changes
    WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :limit
    """
)


async def record_state_changes(connection: AsyncConnection, changes: Sequence[StateChange]) -> None:
    """Write the moves; they can never be altered."""
    if not changes:
        return
    parameters = {
        "account_ids": [change.account_id for change in changes],
        "previous": [None if change.previous is None else change.previous.value for change in changes],
        "states": [change.state.value for change in changes],
        "reasons": [change.reason for change in changes],
        "authors": [change.author for change in changes],
        "times": [change.changed_at for change in changes],
        "proposals": [change.proposal_id for change in changes],
    }
    await connection.execute(_RECORD, parameters)


async def list_state_changes(
    connection: AsyncConnection, account_id: int, *, before: int, limit: int
) -> list[tuple[int, StateChange]]:
    """The account's moves with a number below `before`, newest first, each with its number."""
    rows = await connection.execute(_LIST, {"account_id": account_id, "before": before, "limit": limit})
    return [
        (
            row.id,
            StateChange(
                row.account_id,
                None if row.previous is None else AccountState(row.previous),
                AccountState(row.state),
                row.reason,
                row.author,
                row.changed_at,
                row.proposal_id,
            ),
        )
        for row in rows
    ]
