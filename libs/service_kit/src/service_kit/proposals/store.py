"""Proposals and their ends in the service's own schema: written once, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.proposals.proposal import Proposal, ProposalEnd, ProposalNotOpen, ProposalState

# Greater than every UUIDv7: where a list begins.
NEWEST = UUID(int=2**128 - 1)
_IN_TIME = "proposals_end_in_time"

# A state is told by one expression wherever it is asked for. Also by the server's clock, which the trigger
# goes by: one that the database would not end any more is not told as open.
_PROPOSALS = """(
    SELECT p.*, e.reason AS end_reason, e.author AS ended_by, e.ended_at, e.outcome,
        CASE WHEN e.state IS NOT NULL THEN e.state
             WHEN greatest(CAST(:at AS timestamptz), statement_timestamp()) >= p.expires_at THEN 'EXPIRED'
             ELSE 'OPEN' END AS state
    FROM proposals p LEFT JOIN proposal_ends e ON e.proposal_id = p.id
) AS p"""
_INSERT = text(
    """
    INSERT INTO proposals (id, client_id, idempotency_key, kind, terms, reason, proposed_by, proposed_at,
        expires_at)
    VALUES (:id, :client_id, :key, :kind, CAST(:terms AS jsonb), :reason, :proposed_by, :proposed_at,
        :expires_at)
    ON CONFLICT (client_id, idempotency_key) DO NOTHING
    """
)
_INSERT_END = text(
    """
    INSERT INTO proposal_ends (proposal_id, state, reason, author, ended_at, outcome)
    VALUES (:id, :state, :reason, :author, :ended_at, CAST(:outcome AS jsonb))
    """
)
# The row itself cannot be locked by who may not change it. Held until the transaction ends.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('proposal ' || :id, 0))")
_BY_KEY = text(f"SELECT * FROM {_PROPOSALS} WHERE p.client_id = :client_id AND p.idempotency_key = :key")  # noqa: S608
_BY_ID = text(f"SELECT * FROM {_PROPOSALS} WHERE p.client_id = :client_id AND p.id = :id")  # noqa: S608
_LIST = text(
    f"""
    SELECT * FROM {_PROPOSALS}
    WHERE p.client_id = :client_id AND p.id < :before
      AND (CAST(:state AS text) IS NULL OR p.state = :state)
      AND (CAST(:kind AS text) IS NULL OR p.kind = :kind)
    ORDER BY p.id DESC LIMIT :limit
    """  # noqa: S608
)


async def save_new(connection: AsyncConnection, proposal: Proposal, *, key: str) -> bool:
    """Write the proposal; False, and nothing written, when the client's key has made one already."""
    parameters = {
        "id": proposal.id,
        "client_id": proposal.client_id,
        "key": key,
        "kind": proposal.kind,
        "terms": orjson.dumps(dict(proposal.terms)).decode(),
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at,
        "expires_at": proposal.expires_at,
    }
    return (await connection.execute(_INSERT, parameters)).rowcount == 1


async def save_end(connection: AsyncConnection, proposal_id: UUID, end: ProposalEnd) -> None:
    """Write the end; raises ProposalNotOpen when its time has run out just now."""
    parameters = {
        "id": proposal_id,
        "state": end.state.value,
        "reason": end.reason,
        "author": end.author,
        "ended_at": end.ended_at,
        "outcome": orjson.dumps(dict(end.outcome)).decode(),
    }
    try:
        await connection.execute(_INSERT_END, parameters)
    except DBAPIError as error:
        if getattr(getattr(error.orig, "__cause__", None), "constraint_name", None) != _IN_TIME:
            raise
        raise ProposalNotOpen(ProposalState.EXPIRED) from error


async def take_turn(connection: AsyncConnection, proposal_id: UUID) -> None:
    """Wait until no other transaction is about to end this proposal."""
    await connection.execute(_TAKE_TURN, {"id": str(proposal_id)})


async def load(
    connection: AsyncConnection, client_id: str, proposal_id: UUID, *, at: datetime
) -> Proposal | None:
    """The client's proposal as it stands at that instant, if there is one."""
    row = await connection.execute(_BY_ID, {"client_id": client_id, "id": proposal_id, "at": at})
    return _proposal_or_none(row.one_or_none())


async def load_by_key(
    connection: AsyncConnection, client_id: str, key: str, *, at: datetime
) -> Proposal | None:
    """The proposal that the client's key has made."""
    row = await connection.execute(_BY_KEY, {"client_id": client_id, "key": key, "at": at})
    return _proposal_or_none(row.one_or_none())


async def find(
    connection: AsyncConnection,
    client_id: str,
    *,
    before: UUID,
    state: ProposalState | None,
    kind: str | None,
    limit: int,
    at: datetime,
) -> Sequence[Proposal]:
    """The client's proposals with an id below `before`, newest first."""
    parameters = {
        "client_id": client_id,
        "before": before,
        "state": None if state is None else state.value,
        "kind": kind,
        "limit": limit,
        "at": at,
    }
    return [_proposal(row) for row in await connection.execute(_LIST, parameters)]


def _proposal_or_none(row: Row[Any] | None) -> Proposal | None:
    return None if row is None else _proposal(row)


def _proposal(row: Row[Any]) -> Proposal:
    state = ProposalState(row.state)
    end = None
    if row.ended_by is not None:
        end = ProposalEnd(state, row.end_reason, row.ended_by, row.ended_at, row.outcome)
    return Proposal(
        id=row.id,
        client_id=row.client_id,
        kind=row.kind,
        terms=row.terms,
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        expires_at=row.expires_at,
        state=state,
        end=end,
    )
