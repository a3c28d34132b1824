"""/v1/proposals: how they are made, read, decided and withdrawn, alike in every service that has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from service_kit.audit import Audited, Origin
from service_kit.auth import Client, demand, requires
from service_kit.clock import Clock
from service_kit.cursors import DEFAULT_LIMIT, Cursor, Limit, Listing
from service_kit.database import Database
from service_kit.field_errors import FieldError
from service_kit.idempotency import REPLAYED_HEADER, idempotency_key
from service_kit.ids import IdFactory
from service_kit.problems import invalid_request
from service_kit.proposals import store
from service_kit.proposals.deciding import (
    CarryOut,
    Check,
    EndProposal,
    Propose,
    end_proposal,
    propose,
)
from service_kit.proposals.proposal import ProposalNotFound, ProposalState
from service_kit.proposals.schemas import ProposalIn, ProposalOut, ProposalPage, ReasonIn, body_of, kind_of

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_NOT_NOW: dict[int | str, dict[str, Any]] = {
    409: {"description": "It has ended, or what it asks for cannot be done now.", "content": _PROBLEM}
}
_NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing, or it belongs to another client.", "content": _PROBLEM}
}


class Parts(Protocol):
    """What the routes work with."""

    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def new_id(self) -> IdFactory: ...


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """What a service brings: its kinds, who may do what with them, and how they are checked and carried out.

    `also_needed` are scopes that proposing a kind asks for beside those of `proposer`.
    """

    parts: Parts
    kinds: Sequence[type[ProposalIn]]
    proposer: requires
    decider: requires
    check: Check
    carry_out: CarryOut
    also_needed: Mapping[str, str] = field(default_factory=dict)


def proposal_routes(proposals: Proposals) -> APIRouter:
    """The routes of the service's proposals."""
    router = APIRouter(prefix="/v1/proposals", tags=["proposals"])
    _add_making(router, proposals)
    _add_reading(router, proposals)
    _add_deciding(router, proposals)
    _add_withdrawing(router, proposals)
    return router


def _add_making(router: APIRouter, proposals: Proposals) -> None:
    body_type = body_of(proposals.kinds)

    @router.post(
        "",
        status_code=201,
        summary="Propose what a second person must approve",
        responses={200: {"model": ProposalOut}, **_NOT_THERE, **_NOT_NOW},
    )
    async def create_proposal(
        response: Response,
        *,
        body: body_type,  # type: ignore[valid-type]
        client: Client = Depends(proposals.proposer),
        origin: Audited,
        key: Annotated[str, Depends(idempotency_key)],
    ) -> ProposalOut:
        """Nothing changes before somebody else approves it. What can be told at once to stand in its way is.
        The same key and body again is answered like the first time (200, `Idempotency-Replayed: true`)."""
        asked: ProposalIn = body
        if asked.kind in proposals.also_needed:
            demand(client, proposals.also_needed[asked.kind])
        command = Propose(
            origin=origin,
            client_id=client.id,
            idempotency_key=key,
            kind=asked.kind,
            terms=asked.terms(),
            reason=asked.reason,
            lifetime=asked.lifetime,
        )
        async with proposals.parts.database.transaction() as connection:
            told = await propose(
                connection,
                command,
                check=proposals.check,
                clock=proposals.parts.clock,
                new_id=proposals.parts.new_id,
            )
        response.headers["Location"] = f"/v1/proposals/{told.proposal.id}"
        if told.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return ProposalOut.of(told.proposal)


def _add_reading(router: APIRouter, proposals: Proposals) -> None:
    reader = requires("proposals:read")
    kinds = [kind_of(model) for model in proposals.kinds]

    @router.get("", summary="Proposals")
    async def list_proposals(
        state: ProposalState | None = None,
        kind: Annotated[str | None, Query(json_schema_extra={"enum": [*kinds, None]})] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
        client: Client = Depends(reader),
    ) -> ProposalPage:
        """Newest first."""
        if kind is not None and kind not in kinds:
            raise invalid_request(FieldError("kind", f"must be one of {', '.join(kinds)}", "unknown_kind"))
        listing = Listing(f"proposals {state} {kind}", cursor, limit, start=store.NEWEST, read=UUID)
        async with proposals.parts.database.snapshot() as connection:
            found = await store.find(
                connection,
                client.id,
                before=listing.position,
                state=state,
                kind=kind,
                limit=listing.rows,
                at=proposals.parts.clock.now(),
            )
        page, next_cursor = listing.page(found, lambda proposal: proposal.id)
        return ProposalPage(items=[ProposalOut.of(proposal) for proposal in page], next_cursor=next_cursor)

    @router.get("/{proposal_id}", summary="A proposal")
    async def get_proposal(proposal_id: UUID, client: Client = Depends(reader)) -> ProposalOut:
        """What is proposed and what has become of it."""
        async with proposals.parts.database.snapshot() as connection:
            found = await store.load(connection, client.id, proposal_id, at=proposals.parts.clock.now())
        if found is None:
            raise ProposalNotFound(proposal_id)
        return ProposalOut.of(found)


def _add_deciding(router: APIRouter, proposals: Proposals) -> None:
    @router.post("/{proposal_id}/approval", summary="Approve and carry out", responses=_NOT_NOW)
    async def approve_proposal(
        proposal_id: UUID,
        body: ReasonIn,
        response: Response,
        *,
        client: Client = Depends(proposals.decider),
        origin: Audited,
    ) -> ProposalOut:
        """Not by who proposed it. It is carried out at once; where that cannot be nothing is decided, and the
        answer says why. Approved again by the same person it is answered like the first time."""
        return await _end(proposals, proposal_id, ProposalState.APPROVED, body, client, origin, response)

    @router.post("/{proposal_id}/rejection", summary="Reject", responses=_NOT_NOW)
    async def reject_proposal(
        proposal_id: UUID,
        body: ReasonIn,
        response: Response,
        *,
        client: Client = Depends(proposals.decider),
        origin: Audited,
    ) -> ProposalOut:
        """Not by who proposed it: they withdraw it."""
        return await _end(proposals, proposal_id, ProposalState.REJECTED, body, client, origin, response)


def _add_withdrawing(router: APIRouter, proposals: Proposals) -> None:
    @router.post("/{proposal_id}/withdrawal", summary="Withdraw", responses=_NOT_NOW)
    async def withdraw_proposal(
        proposal_id: UUID,
        body: ReasonIn,
        response: Response,
        *,
        client: Client = Depends(proposals.proposer),
        origin: Audited,
    ) -> ProposalOut:
        """By who proposed it, alone."""
        return await _end(proposals, proposal_id, ProposalState.WITHDRAWN, body, client, origin, response)


async def _end(
    proposals: Proposals,
    proposal_id: UUID,
    state: ProposalState,
    body: ReasonIn,
    client: Client,
    origin: Origin,
    response: Response,
) -> ProposalOut:
    command = EndProposal(
        origin=origin, client_id=client.id, proposal_id=proposal_id, state=state, reason=body.reason
    )
    async with proposals.parts.database.transaction() as connection:
        told = await end_proposal(
            connection, command, carry_out=proposals.carry_out, clock=proposals.parts.clock
        )
    if told.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return ProposalOut.of(told.proposal)
