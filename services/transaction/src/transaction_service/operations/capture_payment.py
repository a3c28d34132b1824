"""Capture held money: a payment of its own, linked to the authorisation, which the ledger posts at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from service_kit.audit import Origin, record
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import capture_of
from transaction_service.domain.payment import PaymentOrder
from transaction_service.operations.accept_payments import (
    Accepted,
    Outcome,
    PaymentRequest,
    accept_payments,
)
from transaction_service.operations.follow_up import Original, follow_up_entry, lock_or_replay
from transaction_service.persistence import holds


@dataclass(frozen=True, slots=True)
class CapturePayment:
    """The command. `amount_minor` None asks for all that is left; `final` None for the hold's own way."""

    payment_id: UUID
    client_id: str
    idempotency_key: str
    amount_minor: int | None
    final: bool | None
    reference: str | None
    description: str | None
    origin: Origin
    traceparent: str | None = None


async def capture_payment(
    connection: AsyncConnection, command: CapturePayment, *, at: datetime, new_id: Callable[[], UUID]
) -> Outcome:
    """Accept a capture, or replay the one that this key made.

    The authorisation is locked first, so that two captures of all that is left are not both of it. Raises
    `UnknownPayment` and `HoldRefused`.
    """
    differing = partial(_differing, command=command)
    original = await lock_or_replay(connection, command, link="captures", differing=differing)
    if not isinstance(original, Original):
        return original
    order = capture_of(
        original.payment,
        status=original.status,
        taken_minor=await holds.taken_minor(connection, command.payment_id),
        amount_minor=command.amount_minor,
        final=command.final,
        idempotency_key=command.idempotency_key,
        reference=command.reference,
        description=command.description,
    )
    (outcome,) = await accept_payments(
        connection, [PaymentRequest(order, command.traceparent)], at=at, new_id=new_id
    )
    if isinstance(outcome, Accepted) and not outcome.replayed:
        entry = follow_up_entry("payment.captured", command.payment_id, outcome.payment)
        await record(connection, command.origin, entry, at=at)
    return outcome


def _differing(order: PaymentOrder, command: CapturePayment) -> dict[str, bool]:
    final = None if order.terms is None else order.terms.final
    return {"final": command.final not in (None, final)}
