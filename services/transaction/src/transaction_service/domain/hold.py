"""What may become of held money: captured, in part or whole, or given up. The ledger has the last word.

What is refused here is refused for good reasons known already; a race between capture, void and expiry is
decided by the ledger alone, under the debtor's locked account.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from transaction_service.domain.lifecycle import Status
from transaction_service.domain.payment import IMMEDIATE, Kind, Payment, PaymentOrder
from transaction_service.domain.terms import HoldTerms, Terms

_ENDED = {
    Status.SETTLED: ("hold_captured", "has been captured"),
    Status.VOIDED: ("hold_voided", "has been voided"),
    Status.EXPIRED: ("hold_expired", "has expired"),
}


class HoldRefused(Exception):
    """What was asked of a hold cannot be done. `code` is stable; `field` is at fault."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class HoldEnd:
    """How a hold ended, once and for all, by the ledger's word."""

    payment_id: UUID
    ended_as: str
    captured_minor: int
    released_minor: int
    reason: str
    author: str
    ended_at: datetime

    @property
    def status(self) -> Status:
        """What becomes of the payment: settled if any of it was captured, however the rest ended."""
        if self.captured_minor > 0:
            return Status.SETTLED
        return Status.EXPIRED if self.ended_as == "expired" else Status.VOIDED


def open_hold(payment: Payment, *, status: Status) -> HoldTerms:
    """Return the terms of the payment's hold; raise `HoldRefused` unless it has one that may be open."""
    hold = payment.order.hold
    if hold is None:
        raise HoldRefused(
            "not_an_authorisation", "payment_id", "Only a payment with manual capture holds money."
        )
    if status in _ENDED:
        code, end = _ENDED[status]
        raise HoldRefused(code, "payment_id", f"The payment {end}: nothing of it is held any more.")
    if status is not Status.APPROVED:
        raise HoldRefused("not_approved", "payment_id", f"The payment is {status}: nothing of it is held.")
    return hold


def capture_of(
    original: Payment,
    *,
    status: Status,
    taken_minor: int,
    amount_minor: int | None,
    final: bool | None,
    **own: Any,
) -> PaymentOrder:
    """Return the order that moves `amount_minor` of what is held (None: all that is left).

    `taken_minor` is what other captures have taken or are about to; `own` are the capture's own key,
    reference and description. Without `final` a capture ends the hold if it takes all that is left, or is
    the only one.
    """
    hold = open_hold(original, status=status)
    if final is False and not hold.captured_many_times:
        raise HoldRefused(
            "captured_once", "final", "The hold can be captured once: its first capture ends it."
        )
    left = original.order.amount_minor - taken_minor
    asked = left if amount_minor is None else amount_minor
    if asked <= 0:
        raise HoldRefused(
            "capture_exceeds_hold",
            "amount_minor",
            f"Captures have taken, or are about to take, {taken_minor} of {original.order.amount_minor} "
            "minor units: nothing is left.",
        )
    ends = final if final is not None else amount_minor is None or not hold.captured_many_times
    order = original.order
    return PaymentOrder(
        client_id=order.client_id,
        debtor=order.debtor,
        creditor=order.creditor,
        amount_minor=asked,
        currency=order.currency,
        capture=IMMEDIATE,
        kind=Kind.CAPTURE,
        captures=original.id,
        terms=Terms(final=ends),
        **own,
    )
