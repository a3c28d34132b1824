"""What every message about a payment repeats of it."""

from typing import Any

from transaction_service.domain.payment import Payment


def facts(payment: Payment) -> dict[str, Any]:
    """Who pays whom how much, as the messages name it."""
    order = payment.order
    return {
        "payment_id": payment.id,
        "client_id": order.client_id,
        "kind": order.kind.value,
        "debtor": order.debtor,
        "creditor": order.creditor,
        "amount_minor": order.amount_minor,
        "currency": order.currency,
    }
