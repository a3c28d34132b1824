"""What an approved proposal does: give a payment back, or change how much one person alone may give back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service_kit.audit import Origin
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from service_kit.proposals.proposal import NothingToChange, Proposal
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.reversal import reversal_of
from transaction_service.operations.accept_payments import Accepted
from transaction_service.operations.follow_up import UnknownPayment
from transaction_service.operations.reverse_payment import ReversePayment, reverse_payment
from transaction_service.operations.set_reversal_limit import SetReversalLimit, set_reversal_limit
from transaction_service.persistence import payments, reversal_limits

REVERSAL = "reversal"


async def check_proposal(connection: AsyncConnection, proposal: Proposal) -> None:
    """Raise now what an approval could not get past: UnknownPayment, ReversalRefused, NothingToChange."""
    if proposal.kind != REVERSAL:
        currency = proposal.terms["currency"]
        standing = await reversal_limits.in_force(connection, proposal.client_id, currency=currency)
        if (standing[0].amount_minor if standing else None) == proposal.terms.get("amount_minor"):
            raise NothingToChange
        return
    payment_id = UUID(proposal.terms["payment_id"])
    found = await payments.lock_original(connection, payment_id, client_id=proposal.client_id)
    if found is None:
        raise UnknownPayment(payment_id)
    original, standing_at, reversed_minor = found
    reversal_of(
        original,
        status=standing_at.status,
        reversed_minor=reversed_minor,
        amount_minor=proposal.terms["amount_minor"],
        idempotency_key=_key(proposal),
        reference=None,
        description=None,
    )


async def carry_out_proposal(
    connection: AsyncConnection,
    proposal: Proposal,
    origin: Origin,
    *,
    clock: Clock,
    new_id: IdFactory,
    traceparent: str | None = None,
) -> Mapping[str, Any]:
    """Do it in the approval's transaction, and tell what came of it. Raises what `check_proposal` does."""
    if proposal.kind == REVERSAL:
        command = ReversePayment(
            payment_id=UUID(proposal.terms["payment_id"]),
            client_id=proposal.client_id,
            idempotency_key=_key(proposal),
            amount_minor=proposal.terms["amount_minor"],
            reference=proposal.terms.get("reference"),
            description=proposal.terms.get("description"),
            origin=origin,
            traceparent=traceparent,
            proposal_id=proposal.id,
        )
        made = await reverse_payment(connection, command, at=clock.now(), new_id=new_id)
        assert isinstance(made, Accepted), "no client can have used the key"
        return {"payment_id": str(made.payment.id)}
    limit = await set_reversal_limit(
        connection,
        SetReversalLimit(
            client_id=proposal.client_id,
            currency=proposal.terms["currency"],
            amount_minor=proposal.terms.get("amount_minor"),
            reason=proposal.reason,
            origin=origin,
            proposal=proposal,
        ),
        clock=clock,
    )
    if limit.proposal_id != proposal.id:
        raise NothingToChange
    return {}


def _key(proposal: Proposal) -> str:
    # A client's keys have no space: this one is nobody else's.
    return f"proposal {proposal.id}"
