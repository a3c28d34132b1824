"""The event types a client can subscribe to, as they stand in a webhook's body."""

from typing import Final

PAYMENT_IN_REVIEW: Final = "payment.in_review"
PAYMENT_APPROVED: Final = "payment.approved"
PAYMENT_SETTLED: Final = "payment.settled"
PAYMENT_REJECTED: Final = "payment.rejected"
PAYMENT_VOIDED: Final = "payment.voided"
PAYMENT_EXPIRED: Final = "payment.expired"
PING: Final = "ping"

# A ping goes only to the endpoint that asked for a test, so nobody subscribes to it.
SUBSCRIBABLE: Final = (
    PAYMENT_IN_REVIEW,
    PAYMENT_APPROVED,
    PAYMENT_SETTLED,
    PAYMENT_REJECTED,
    PAYMENT_VOIDED,
    PAYMENT_EXPIRED,
)
