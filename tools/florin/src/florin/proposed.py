"""Proposals of all clients, where services keep them, as the auditor's role sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from florin.environment import Surroundings
from florin.provision import AUDITOR, connect

# As the services tell it: by the clock, with nobody's doing.
_FOUND = """
    SELECT p.id, p.client_id, p.kind, p.terms::text AS terms, p.reason, p.proposed_by, p.proposed_at,
           p.expires_at, coalesce(e.state, CASE WHEN now() >= p.expires_at THEN 'EXPIRED' ELSE 'OPEN' END)
               AS state,
           e.author AS ended_by, e.reason AS ended_because, e.ended_at, e.outcome::text AS outcome
    FROM {schema}.proposals p LEFT JOIN {schema}.proposal_ends e ON e.proposal_id = p.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A proposal and whose it is; what is said of its end is None while it has none."""

    service: str
    id: UUID
    client_id: str
    kind: str
    terms: Mapping[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    state: str
    ended_by: str | None
    ended_because: str | None
    ended_at: datetime | None
    outcome: Mapping[str, Any] | None


async def listed(
    surroundings: Surroundings, services: Sequence[str], *, state: str | None, limit: int
) -> list[Found]:
    """Up to `limit` proposals of each service, the newest first; in any state for None."""
    condition = "WHERE $1::text IS NULL OR state = $1 ORDER BY id DESC LIMIT $2"
    return await _find(surroundings, services, condition, state, limit)


async def one(surroundings: Surroundings, services: Sequence[str], proposal_id: UUID) -> list[Found]:
    """The proposal, wherever it is; none if it is nowhere."""
    return await _find(surroundings, services, "WHERE id = $1", proposal_id)


async def _find(
    surroundings: Surroundings, services: Sequence[str], condition: str, *arguments: object
) -> list[Found]:
    found: list[Found] = []
    connection = await connect(surroundings.role_url(AUDITOR))
    try:
        for service in services:
            statement = f"SELECT * FROM ({_FOUND.format(schema=service)}) AS p {condition}"  # noqa: S608
            found += [_read(service, dict(row)) for row in await connection.fetch(statement, *arguments)]
    finally:
        await connection.close()
    return found


def _read(service: str, told: dict[str, Any]) -> Found:
    told["terms"] = orjson.loads(told["terms"])
    told["outcome"] = None if told["outcome"] is None else orjson.loads(told["outcome"])
    return Found(service=service, **told)
