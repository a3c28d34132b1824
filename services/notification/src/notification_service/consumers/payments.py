"""What the transaction service says of payments, told on to the clients that asked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.messages import (
    Payload,
    PaymentApproved,
    PaymentExpired,
    PaymentInReview,
    PaymentNotice,
    PaymentRejected,
    PaymentSettled,
    PaymentVoided,
)
from messaging.event import Event
from messaging.processor import Handler
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain import event_types
from notification_service.domain.notification import Notification, render_body, rfc3339
from notification_service.operations.record_events import record_events

TYPES: Final[Mapping[type[PaymentNotice], str]] = {
    PaymentInReview: event_types.PAYMENT_IN_REVIEW,
    PaymentApproved: event_types.PAYMENT_APPROVED,
    PaymentSettled: event_types.PAYMENT_SETTLED,
    PaymentRejected: event_types.PAYMENT_REJECTED,
    PaymentVoided: event_types.PAYMENT_VOIDED,
    PaymentExpired: event_types.PAYMENT_EXPIRED,
}


def payment_handlers(*, clock: Clock, new_id: IdFactory) -> Mapping[type[Payload], Handler]:
    """A handler for each message that this service hears."""

    async def tell(connection: AsyncConnection, events: Sequence[Event[PaymentNotice]]) -> None:
        await record_events(
            connection,
            events,
            client_of=lambda event: event.data.client_id,
            notification_of=notification_of,
            clock=clock,
            new_id=new_id,
        )

    return dict.fromkeys(TYPES, tell)


def notification_of(event: Event[PaymentNotice]) -> Notification:
    """The event as a client reads it; its id is the message's, the same however often that comes."""
    notice = event.data
    type_ = TYPES[type(notice)]
    return Notification(
        id=event.id,
        client_id=notice.client_id,
        type=type_,
        payment_id=notice.payment_id,
        sequence=event.sequence,
        occurred_at=notice.occurred_at,
        body=render_body(
            type=type_, timestamp=notice.occurred_at, sequence=event.sequence, data=_payment(notice)
        ),
        traceparent=event.traceparent,
    )


def _payment(notice: PaymentNotice) -> dict[str, Any]:
    return {
        "payment_id": str(notice.payment_id),
        "kind": notice.kind,
        "status": notice.status,
        "reason": notice.reason,
        "debtor": notice.debtor,
        "creditor": notice.creditor,
        "amount_minor": notice.amount_minor,
        "currency": notice.currency,
        "reference": notice.reference,
        "reverses": str(notice.reverses) if notice.reverses else None,
        "created_at": rfc3339(notice.created_at),
        **_where_set(notice),
    }


def _where_set(notice: PaymentNotice) -> dict[str, Any]:
    """What only some payments have: of the others nothing is said of it, as before there was any."""
    told: dict[str, Any] = {
        "captures": str(notice.captures) if notice.captures else None,
        "captured_minor": notice.captured_minor,
    }
    if isinstance(notice, PaymentRejected):
        told |= {"field": notice.field, "figures": notice.figures}
    return {name: value for name, value in told.items() if value is not None}
