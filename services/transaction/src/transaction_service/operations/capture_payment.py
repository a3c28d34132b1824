"""Capture held money: a payment of its own, linked to the authorisation, which the ledger posts at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import capture_of
from transaction_service.domain.payment import Payment
from transaction_service.operations.accept_payments import (
    Accepted,
    KeyReused,
    Outcome,
    PaymentRequest,
    accept_payments,
)
from transaction_service.operations.reverse_payment import UnknownPayment
from transaction_service.persistence import holds, payments


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
    traceparent: str | None = None


async def capture_payment(
    connection: AsyncConnection, command: CapturePayment, *, at: datetime, new_id: Callable[[], UUID]
) -> Outcome:
    """Accept a capture, or replay the one that this key made.

    The authorisation is locked first, so that two captures of all that is left are not both of it. Raises
    `UnknownPayment` and `HoldRefused`.
    """
    found = await payments.lock_original(connection, command.payment_id, client_id=command.client_id)
    if found is None:
        raise UnknownPayment(command.payment_id)
    original, standing, _ = found
    key = (command.client_id, command.idempotency_key)
    earlier = (await payments.load_by_keys(connection, [key])).get(key)
    if earlier is not None:
        return _replay(earlier, command)
    order = capture_of(
        original,
        status=standing.status,
        taken_minor=await holds.taken_minor(connection, original.id),
        amount_minor=command.amount_minor,
        final=command.final,
        idempotency_key=command.idempotency_key,
        reference=command.reference,
        description=command.description,
    )
    (outcome,) = await accept_payments(
        connection, [PaymentRequest(order, command.traceparent)], at=at, new_id=new_id
    )
    return outcome


def _replay(earlier: Payment, command: CapturePayment) -> Outcome:
    """Compare with the first request as the client wrote it: what was left out matches whatever was filled
    in."""
    order = earlier.order
    final = None if order.terms is None else order.terms.final
    differing = {
        "captures": order.captures != command.payment_id,
        "amount_minor": command.amount_minor not in (None, order.amount_minor),
        "final": command.final not in (None, final),
        "reference": command.reference != order.reference,
        "description": command.description != order.description,
    }
    fields = [name for name, differs in differing.items() if differs]
    return KeyReused(earlier.id, fields) if fields else Accepted(earlier, replayed=True)
