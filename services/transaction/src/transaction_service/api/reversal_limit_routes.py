"""/v1/reversal-approval-limits: above how much of a payment a reversal takes a second person."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from service_kit.audit import Audited
from service_kit.auth import Client, requires
from service_kit.cursors import DEFAULT_LIMIT, Cursor, Limit, Listing
from service_kit.proposals.proposal import ApprovalRequired
from service_kit.proposals.schemas import Reason

from transaction_service.api.parties import Request
from transaction_service.api.parts import PaymentParts, Reader
from transaction_service.api.schemas import Currency
from transaction_service.domain.reversal import ReversalLimit
from transaction_service.operations.set_reversal_limit import SetReversalLimit, set_reversal_limit
from transaction_service.persistence import reversal_limits

Limiter = Annotated[Client, Depends(requires("limits:write"))]
LimitMinor = Annotated[
    int, Field(ge=0, le=MAX_AMOUNT_MINOR, description="In minor units; with zero every reversal takes two.")
]


class ReversalLimitIn(Request):
    """The limit to put in force, and why; null is no limit."""

    currency: Currency
    amount_minor: LimitMinor | None
    reason: Reason


class ReversalLimitOut(BaseModel):
    """A limit as it was put in force. Reversals of one payment count together."""

    currency: str
    amount_minor: int | None
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None

    @classmethod
    def of(cls, limit: ReversalLimit) -> Self:
        """Tell a limit."""
        return cls.model_validate(limit, from_attributes=True)


class ReversalLimits(BaseModel):
    """The limits in force, one for each currency that ever had one."""

    items: list[ReversalLimitOut]


class ReversalLimitPage(BaseModel):
    """Every limit that was ever in force, newest first."""

    items: list[ReversalLimitOut]
    next_cursor: str | None


def reversal_limit_routes(parts: PaymentParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/reversal-approval-limits", tags=["reversals"])
    _add_limits(router, parts)
    _add_history(router, parts)
    return router


def _add_limits(router: APIRouter, parts: PaymentParts) -> None:
    @router.put("", summary="Say above how much a reversal takes two")
    async def put_reversal_limit(body: ReversalLimitIn, client: Limiter, origin: Audited) -> ReversalLimitOut:
        """Of each payment in the currency, from now on, all its reversals counted together. A person proposes
        it. The same limit again is no change, so that a retry is safe."""
        if client.is_person:
            raise ApprovalRequired("reversal-limit-change")
        command = SetReversalLimit(
            client_id=client.id,
            currency=body.currency,
            amount_minor=body.amount_minor,
            reason=body.reason,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            limit = await set_reversal_limit(connection, command, clock=parts.clock)
        return ReversalLimitOut.of(limit)

    @router.get("", summary="Above how much reversals take two")
    async def get_reversal_limits(client: Reader) -> ReversalLimits:
        """One for each currency that ever had one."""
        async with parts.database.snapshot() as connection:
            limits = await reversal_limits.in_force(connection, client.id)
        return ReversalLimits(items=[ReversalLimitOut.of(limit) for limit in limits])


def _add_history(router: APIRouter, parts: PaymentParts) -> None:
    @router.get("/changes", summary="The history of these limits")
    async def list_reversal_limit_changes(
        client: Reader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> ReversalLimitPage:
        """Newest first, each with its reason and author."""
        listing = Listing("reversal-limits", cursor, limit, start=reversal_limits.NEWEST, read=_position)
        async with parts.database.snapshot() as connection:
            found = await reversal_limits.history(
                connection, client.id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(found, lambda numbered: numbered[0])
        return ReversalLimitPage(items=[ReversalLimitOut.of(one) for _, one in page], next_cursor=next_cursor)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= reversal_limits.NEWEST):
        raise ValueError("no position")
    return int(text)
