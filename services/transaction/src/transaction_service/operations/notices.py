"""What upstream systems hear of a payment."""

from typing import Any, TypeVar

from contracts.messages import Payload, PaymentNotice
from messaging.event import Event, new_event

from transaction_service.domain.lifecycle import LifecycleEvent
from transaction_service.domain.payment import Payment
from transaction_service.operations.facts import facts

Notice = TypeVar("Notice", bound=PaymentNotice)


def notice(
    message: type[Notice], payment: Payment, step: LifecycleEvent, *, cause: Event[Payload], **more: Any
) -> Event[Notice]:
    """Tell that `payment` has taken `step`, and what `more` belongs to such a step; its sequence is the
    step's own."""
    order = payment.order
    if order.captures is not None:
        more["captures"] = order.captures
    return new_event(
        message(
            **facts(payment),
            reference=order.reference,
            status=str(step.status),
            reason=step.reason,
            reverses=order.reverses,
            created_at=payment.created_at,
            occurred_at=step.occurred_at,
            **more,
        ),
        subject=str(payment.id),
        sequence=step.sequence,
        at=step.occurred_at,
        cause=cause,
    )
