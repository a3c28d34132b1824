"""/v1/proposals: adjustments, unfreezing, and changes of limits and overdrafts that two people make."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from fastapi import APIRouter
from pydantic import model_validator
from pydantic_core import PydanticCustomError
from service_kit.audit import Origin
from service_kit.auth import requires
from service_kit.proposals.proposal import Proposal
from service_kit.proposals.routes import Proposals
from service_kit.proposals.routes import proposal_routes as routes_of
from service_kit.proposals.schemas import ProposalIn
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.api.limit_schemas import Figures, KycLevel
from account_service.api.parts import AccountParts
from account_service.api.schemas import AmountMinor, AmountOrNothingMinor, Currency, Reference
from account_service.operations.carry_out_proposal import ADJUSTMENT, CarryOut, check_proposal


class AdjustmentIn(ProposalIn):
    """Add to an account's balance (`credit`) or take from it, against the client's adjustment account."""

    kind: Literal["adjustment"]
    account: Reference
    direction: Literal["credit", "debit"]
    amount_minor: AmountMinor
    currency: Currency


class UnfreezingIn(ProposalIn):
    """Let through what the account's state does not."""

    kind: Literal["unfreezing"]
    account: Reference
    state: Literal["ACTIVE", "DEBIT_FROZEN", "CREDIT_FROZEN", "CLOSING"] = "ACTIVE"


class LimitChangeIn(ProposalIn, Figures):
    """All limits at once: of an account, or in a currency those of a KYC level or of all accounts."""

    kind: Literal["limit-change"]
    account: Reference | None = None
    currency: Currency | None = None
    kyc_level: KycLevel | None = None

    @model_validator(mode="after")
    def _must_be_of_one(self) -> Self:
        if (self.account is None) == (self.currency is None):
            raise PydanticCustomError("only_one_of", "must have exactly one of account, currency")
        if self.account is not None and self.kyc_level is not None:
            raise PydanticCustomError("only_one_of", "must not have both account and kyc_level")
        return self


class OverdraftChangeIn(ProposalIn):
    """How far below zero the account may go."""

    kind: Literal["overdraft-change"]
    account: Reference
    overdraft_minor: AmountOrNothingMinor


def proposal_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""

    async def carry_out(connection: AsyncConnection, proposal: Proposal, origin: Origin) -> Mapping[str, Any]:
        return await CarryOut(parts.clock, parts.new_id, origin)(connection, proposal)

    return routes_of(
        Proposals(
            parts=parts,
            kinds=(AdjustmentIn, UnfreezingIn, LimitChangeIn, OverdraftChangeIn),
            proposer=requires("proposals:write"),
            decider=requires("proposals:decide", fresh=True),
            check=check_proposal,
            carry_out=carry_out,
            also_needed={ADJUSTMENT: "accounts:adjust"},
        )
    )
