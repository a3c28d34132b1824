"""/v1/proposals: reversals above the limit, and the limit itself, that two people decide."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Strict
from service_kit.audit import Origin
from service_kit.auth import requires, requires_one_of
from service_kit.proposals.proposal import Proposal
from service_kit.proposals.routes import Proposals
from service_kit.proposals.routes import proposal_routes as routes_of
from service_kit.proposals.schemas import ProposalIn
from service_kit.telemetry import current_traceparent
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.api.parts import PaymentParts
from transaction_service.api.reversal_limit_routes import LimitMinor
from transaction_service.api.schemas import AmountMinor, Currency, Description, Reference
from transaction_service.operations.carry_out_proposal import carry_out_proposal, check_proposal


class ReversalProposalIn(ProposalIn):
    """Give back so much of a settled payment, whatever the limit. Both people see the amount."""

    kind: Literal["reversal"]
    # Written as text, in JSON as elsewhere.
    payment_id: Annotated[UUID, Strict(strict=False)]
    amount_minor: AmountMinor
    reference: Reference | None = None
    description: Description | None = None


class ReversalLimitChangeIn(ProposalIn):
    """How much of a payment may be given back without a second person; without an amount, all of it."""

    kind: Literal["reversal-limit-change"]
    currency: Currency
    amount_minor: LimitMinor | None = None


def proposal_routes(parts: PaymentParts) -> APIRouter:
    """The routes, on these parts."""

    async def carry_out(connection: AsyncConnection, proposal: Proposal, origin: Origin) -> Mapping[str, Any]:
        return await carry_out_proposal(
            connection,
            proposal,
            origin,
            clock=parts.clock,
            new_id=parts.new_id,
            traceparent=current_traceparent(),
        )

    return routes_of(
        Proposals(
            parts=parts,
            kinds=(ReversalProposalIn, ReversalLimitChangeIn),
            proposer=requires_one_of("proposals:write", "payments:write"),
            decider=requires("payments:approve", fresh=True),
            check=check_proposal,
            carry_out=carry_out,
        )
    )
