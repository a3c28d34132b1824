"""Propose, decide, withdraw: what is approved is carried out in the transaction that records the approval."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from service_kit.proposals import store
from service_kit.proposals.proposal import (
    Proposal,
    ProposalEnd,
    ProposalKeyReused,
    ProposalNotFound,
    ProposalState,
)

# Does what was approved, as the doing of who approves it, and tells what came of it; raises what its service
# declines with.
CarryOut = Callable[[AsyncConnection, Proposal, Origin], Awaitable[Mapping[str, Any]]]
# Raises what can be told from the start to stand in the way.
Check = Callable[[AsyncConnection, Proposal], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """The command; it is the caller's who proposes, and of the caller's client."""

    origin: Origin
    client_id: str
    idempotency_key: str
    kind: str
    terms: Mapping[str, Any]
    reason: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EndProposal:
    """The command: approve, reject or withdraw, as `state` says; it is the caller's word."""

    origin: Origin
    client_id: str
    proposal_id: UUID
    state: ProposalState
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """The proposal as it stands; `replayed` if it stood so before."""

    proposal: Proposal
    replayed: bool


async def propose(
    connection: AsyncConnection, command: Propose, *, check: Check, clock: Clock, new_id: IdFactory
) -> Told:
    """Make the proposal once under the key. Raises ProposalKeyReused, and what `check` raises."""
    at = clock.now()
    proposal = Proposal(
        id=new_id(),
        client_id=command.client_id,
        kind=command.kind,
        terms=command.terms,
        reason=command.reason,
        proposed_by=command.origin.actor,
        proposed_at=at,
        expires_at=at + command.lifetime,
    )
    key = command.idempotency_key
    earlier = await store.load_by_key(connection, command.client_id, key, at=at)
    if earlier is None:
        await check(connection, proposal)
        if await store.save_new(connection, proposal, key=key):
            await _record(connection, command.origin, proposal)
            return Told(proposal, replayed=False)
        # Another request was faster: its proposal has committed by now.
        earlier = await store.load_by_key(connection, command.client_id, key, at=at)
        assert earlier is not None, "what a key has made stays"
    if fields := earlier.differing(proposal):
        raise ProposalKeyReused(earlier.id, fields)
    return Told(earlier, replayed=True)


async def end_proposal(
    connection: AsyncConnection, command: EndProposal, *, carry_out: CarryOut, clock: Clock
) -> Told:
    """End it, and carry it out if that is an approval; the same word by the same author again is no second.

    Raises ProposalNotFound, OwnProposal, NotTheProposer and ProposalNotOpen, and what `carry_out` declines
    with: then nothing is decided.
    """
    # Of all who decide at once the first is heard; the others then find it decided.
    await store.take_turn(connection, command.proposal_id)
    at = clock.now()
    proposal = await store.load(connection, command.client_id, command.proposal_id, at=at)
    if proposal is None:
        raise ProposalNotFound(command.proposal_id)
    author = command.origin.actor
    if proposal.was_ended(command.state, author=author):
        return Told(proposal, replayed=True)
    proposal.check_end(command.state, author=author)
    outcome: Mapping[str, Any] = {}
    if command.state is ProposalState.APPROVED:
        outcome = await carry_out(connection, proposal, command.origin)
    end = ProposalEnd(command.state, command.reason, author, at, outcome)
    await store.save_end(connection, proposal.id, end)
    ended = await store.load(connection, command.client_id, proposal.id, at=at)
    assert ended is not None, "what has just ended is there"
    await _record(connection, command.origin, ended)
    return Told(ended, replayed=False)


async def _record(connection: AsyncConnection, origin: Origin, proposal: Proposal) -> None:
    """Into the audit log: that it was made, or how it ended."""
    end = proposal.end
    after: dict[str, Any] = {"kind": proposal.kind, "state": proposal.state, **proposal.terms}
    before = None
    if end is None:
        after["expires_at"] = proposal.expires_at
    else:
        before = after | {"state": ProposalState.OPEN}
        after["outcome"] = end.outcome
    entry = Entry(
        action="proposal.made" if end is None else f"proposal.{end.state.lower()}",
        subject_type="proposal",
        subject=str(proposal.id),
        before=before,
        after=after,
        reason=proposal.reason if end is None else end.reason,
    )
    await record(connection, origin, entry, at=proposal.proposed_at if end is None else end.ended_at)
