"""How much of a payment one alone may give back, with its history, and the reversals that two approved."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.reversal import ReversalLimit

# Where a list begins: no identity of Postgres is greater.
NEWEST = 2**63 - 1

# A change waits for the reversals that are under way, and they for it: none is decided by a limit that is no
# longer in force when it commits.
_WAIT_FOR_CHANGES = text(
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('reversal limits ' || :client_id, 0))"
)
_WAIT_FOR_REVERSALS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('reversal limits ' || :client_id, 0))"
)
_COLUMNS = "id, currency, amount_minor, reason, author, changed_at, proposal_id"
_IN_FORCE = text(
    f"""
    SELECT DISTINCT ON (currency) {_COLUMNS} FROM reversal_limit_changes
    WHERE client_id = :client_id AND (CAST(:currency AS text) IS NULL OR currency = :currency)
    ORDER BY currency, id DESC
    """  # noqa: S608 - a constant list of columns
)
_HISTORY = text(
    f"""
    SELECT {_COLUMNS} FROM reversal_limit_changes WHERE client_id = :client_id AND id < :before
    ORDER BY id DESC LIMIT :limit
    """  # noqa: S608
)
_INSERT = text(
    """
    INSERT INTO reversal_limit_changes
        (client_id, currency, amount_minor, reason, author, changed_at, proposal_id)
    VALUES (:client_id, :currency, :amount_minor, :reason, :author, :changed_at, :proposal_id)
    """
)
_INSERT_APPROVED = text(
    "INSERT INTO approved_reversals (payment_id, proposal_id) VALUES (:payment_id, :proposal_id)"
)


async def wait_for_changes(connection: AsyncConnection, client_id: str) -> None:
    """Keep the client's limits as they are until the transaction ends."""
    await connection.execute(_WAIT_FOR_CHANGES, {"client_id": client_id})


async def take_turn(connection: AsyncConnection, client_id: str) -> None:
    """Wait for reversals and other changes, and keep them waiting until the transaction ends."""
    await connection.execute(_WAIT_FOR_REVERSALS, {"client_id": client_id})


async def in_force(
    connection: AsyncConnection, client_id: str, *, currency: str | None = None
) -> Sequence[ReversalLimit]:
    """The newest limit of each currency that ever had one, or of that one alone."""
    rows = await connection.execute(_IN_FORCE, {"client_id": client_id, "currency": currency})
    return [ReversalLimit(*row[1:]) for row in rows]


async def history(
    connection: AsyncConnection, client_id: str, *, before: int, limit: int
) -> list[tuple[int, ReversalLimit]]:
    """The client's limits with a number below `before`, newest first, each with its number."""
    parameters = {"client_id": client_id, "before": before, "limit": limit}
    return [(row.id, ReversalLimit(*row[1:])) for row in await connection.execute(_HISTORY, parameters)]


async def save(connection: AsyncConnection, client_id: str, limit: ReversalLimit) -> None:
    """Put the limit in force and into the history."""
    parameters = {
        "client_id": client_id,
        "currency": limit.currency,
        "amount_minor": limit.amount_minor,
        "reason": limit.reason,
        "author": limit.author,
        "changed_at": limit.changed_at,
        "proposal_id": limit.proposal_id,
    }
    await connection.execute(_INSERT, parameters)


async def save_approved(connection: AsyncConnection, payment_id: UUID, *, proposal_id: UUID) -> None:
    """Write which proposal the reversal carries out."""
    await connection.execute(_INSERT_APPROVED, {"payment_id": payment_id, "proposal_id": proposal_id})
