"""What each client wants done when a payee has spent it: written once, the newest counts."""

from collections.abc import Iterable

from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.reversals import ReversalPolicy, ReversalPolicyChange

_THAT_LEND = Statement(
    """
    SELECT wanted.client_id FROM unnest(CAST(:client_ids AS text[])) AS wanted (client_id)
    CROSS JOIN LATERAL (
        SELECT c.policy FROM reversal_policy_changes c WHERE c.client_id = wanted.client_id
        ORDER BY c.id DESC LIMIT 1) AS newest
    WHERE newest.policy = 'receivable'
    """
)
_RECORD = text(
    """
    INSERT INTO reversal_policy_changes (client_id, policy, reason, author, changed_at)
    VALUES (:client_id, :policy, :reason, :author, :changed_at)
    """
)
_LIST = text(
    """
    SELECT id, policy, reason, author, changed_at FROM reversal_policy_changes
    WHERE client_id = :client_id AND id < :before ORDER BY id DESC LIMIT :limit
    """
)
NEWEST = 2**63 - 1


async def clients_that_lend(connection: AsyncConnection, client_ids: Iterable[str]) -> set[str]:
    """Those of the clients whose reversals a receivable account pays for where the payee cannot."""
    rows = await _THAT_LEND.rows(connection, {"client_ids": sorted(set(client_ids))})
    return {row[0] for row in rows}


async def record_policy(connection: AsyncConnection, client_id: str, change: ReversalPolicyChange) -> None:
    """Write the choice; it counts from now on."""
    parameters = {
        "client_id": client_id,
        "policy": change.policy.value,
        "reason": change.reason,
        "author": change.author,
        "changed_at": change.changed_at,
    }
    await connection.execute(_RECORD, parameters)


async def list_policy_changes(
    connection: AsyncConnection, client_id: str, *, before: int = NEWEST, limit: int = 1
) -> list[tuple[int, ReversalPolicyChange]]:
    """The client's choices with a number below `before`, newest first, each with its number."""
    rows = await connection.execute(_LIST, {"client_id": client_id, "before": before, "limit": limit})
    return [
        (row.id, ReversalPolicyChange(ReversalPolicy(row.policy), row.reason, row.author, row.changed_at))
        for row in rows
    ]
