"""What may be given back of a payment: never more than it moved, only once it has moved, and above a limit
only as two have decided."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from transaction_service.domain.lifecycle import Status
from transaction_service.domain.payment import Kind, Payment, PaymentOrder


class ReversalRefused(Exception):
    """The payment cannot be reversed as asked. `code` is stable; the message carries the figures."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ReversalNeedsApproval(Exception):
    """With `asked_minor` more than the limit would be given back of the payment by one alone."""

    def __init__(self, *, limit_minor: int, reversed_minor: int, asked_minor: int) -> None:
        super().__init__("the reversal passes the limit above which it takes two")
        self.limit_minor = limit_minor
        self.reversed_minor = reversed_minor
        self.asked_minor = asked_minor


@dataclass(frozen=True, slots=True)
class ReversalLimit:
    """How much of a payment may be given back without a second person, since `changed_at`; None is no limit.

    `proposal_id` is what put it in force, if that took two.
    """

    currency: str
    amount_minor: int | None
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None = None

    def check_alone(self, asked_minor: int, *, reversed_minor: int) -> None:
        """Raises ReversalNeedsApproval. All reversals of the payment count together: many small ones are as
        good as a large one."""
        if self.amount_minor is not None and reversed_minor + asked_minor > self.amount_minor:
            raise ReversalNeedsApproval(
                limit_minor=self.amount_minor, reversed_minor=reversed_minor, asked_minor=asked_minor
            )


def reversal_of(
    original: Payment,
    *,
    status: Status,
    reversed_minor: int,
    amount_minor: int | None,
    idempotency_key: str,
    reference: str | None,
    description: str | None,
) -> PaymentOrder:
    """Return the order that moves `amount_minor` (None: all that is left) from the payee back to the payer.

    `reversed_minor` is what earlier reversals have given back or are about to.
    """
    if original.order.kind is Kind.REVERSAL:
        raise ReversalRefused("reversal_of_reversal", "A reversal cannot be reversed: make a new payment.")
    if original.order.hold is not None:
        raise ReversalRefused(
            "reversal_of_authorisation",
            "The payment's captures have moved its money: reverse these, or void what is still held.",
        )
    if status is not Status.SETTLED:
        raise ReversalRefused("not_settled", f"The payment is {status}; only a SETTLED one can be reversed.")
    left = original.order.amount_minor - reversed_minor
    asked = left if amount_minor is None else amount_minor
    if asked > left or left == 0:
        raise ReversalRefused(
            "exceeds_original",
            f"{left} minor units of {original.order.amount_minor} are left to reverse; {asked} were asked.",
        )
    return _mirrored(original.order, original.id, asked, idempotency_key, reference, description)


def _mirrored(
    order: PaymentOrder,
    original_id: UUID,
    amount_minor: int,
    idempotency_key: str,
    reference: str | None,
    description: str | None,
) -> PaymentOrder:
    return replace(
        order,
        kind=Kind.REVERSAL,
        debtor=order.creditor,
        creditor=order.debtor,
        amount_minor=amount_minor,
        idempotency_key=idempotency_key,
        reference=reference,
        description=description,
        metadata={},
        reverses=original_id,
        captures=None,
        terms=None,
    )
