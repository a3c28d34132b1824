"""Ask the ledger: to move a payment's money, to hold it, or to move what is held."""

from datetime import datetime
from typing import Any

from contracts.messages import CaptureTerms, HoldTerms, Payload, PostingConditions, PostingRequested
from messaging.event import Event, new_event

from transaction_service.domain.payment import Payment
from transaction_service.domain.terms import Terms
from transaction_service.operations.facts import facts


def posting_requested(
    payment: Payment,
    *,
    sequence: int,
    at: datetime,
    cause: Event[Payload] | None = None,
    traceparent: str | None = None,
) -> Event[PostingRequested]:
    """The question, with the payment's terms where it has any."""
    order = payment.order
    told = facts(payment)
    if order.terms is not None:
        told |= _terms(payment, order.terms)
    return new_event(
        PostingRequested(**told, reverses=order.reverses),
        subject=str(payment.id),
        sequence=sequence,
        at=at,
        cause=cause,
        traceparent=traceparent,
    )


def _terms(payment: Payment, terms: Terms) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if terms.hold is not None:
        told["kind"] = "hold"
        told["hold"] = HoldTerms(
            expires_at=terms.hold.end(accepted_at=payment.created_at),
            captured_many_times=terms.hold.captured_many_times,
            tolerance_minor=terms.hold.tolerance_minor,
        )
    if payment.order.captures is not None:
        told["capture"] = CaptureTerms(of=payment.order.captures, final=bool(terms.final))
    if terms.conditions is not None:
        told["conditions"] = PostingConditions(
            version=terms.conditions.version,
            available_at_least_minor=terms.conditions.available_at_least_minor,
        )
    return told
