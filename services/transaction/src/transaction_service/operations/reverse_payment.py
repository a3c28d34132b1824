"""Give back all or part of a settled payment: a new payment, linked to the first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service_kit.audit import Origin, record
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.payment import PaymentOrder
from transaction_service.domain.reversal import reversal_of
from transaction_service.operations.accept_payments import (
    Accepted,
    Outcome,
    PaymentRequest,
    accept_payments,
)
from transaction_service.operations.follow_up import Original, follow_up_entry, lock_or_replay
from transaction_service.persistence import payments, reversal_limits


@dataclass(frozen=True, slots=True)
class ReversePayment:
    """The command. `amount_minor` None asks for all that is left; `proposal_id` is what two have approved."""

    payment_id: UUID
    client_id: str
    idempotency_key: str
    amount_minor: int | None
    reference: str | None
    description: str | None
    origin: Origin
    traceparent: str | None = None
    proposal_id: UUID | None = None


async def reverse_payment(
    connection: AsyncConnection, command: ReversePayment, *, at: datetime, new_id: Callable[[], UUID]
) -> Outcome:
    """Accept a reversal, or replay the one that this key made.

    The original is locked first: two reversals at once cannot together pass what it moved, nor what one alone
    may give back. Raises `UnknownPayment`, `ReversalRefused` and `ReversalNeedsApproval`.
    """
    original = await lock_or_replay(connection, command, link="reverses")
    if not isinstance(original, Original):
        return original
    order = reversal_of(
        original.payment,
        status=original.status,
        reversed_minor=original.reversed_minor,
        amount_minor=command.amount_minor,
        idempotency_key=command.idempotency_key,
        reference=command.reference,
        description=command.description,
    )
    if command.proposal_id is None:
        await _check_alone(connection, order, reversed_minor=original.reversed_minor)
    (outcome,) = await accept_payments(
        connection, [PaymentRequest(order, command.traceparent)], at=at, new_id=new_id
    )
    if isinstance(outcome, Accepted) and not outcome.replayed:
        await payments.add_reversed(connection, [(command.payment_id, order.amount_minor)])
        if command.proposal_id is not None:
            await reversal_limits.save_approved(
                connection, outcome.payment.id, proposal_id=command.proposal_id
            )
        entry = follow_up_entry("payment.reversed", command.payment_id, outcome.payment)
        await record(connection, command.origin, entry, at=at)
    return outcome


async def _check_alone(connection: AsyncConnection, order: PaymentOrder, *, reversed_minor: int) -> None:
    await reversal_limits.wait_for_changes(connection, order.client_id)
    for limit in await reversal_limits.in_force(connection, order.client_id, currency=order.currency):
        limit.check_alone(order.amount_minor, reversed_minor=reversed_minor)
