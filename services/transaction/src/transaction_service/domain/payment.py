"""The payment: an immutable record of who pays whom how much, made once and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.currencies import exponent_of
from contracts.money import MAX_AMOUNT_MINOR

from transaction_service.domain.hashing import canonical_time, record_hash
from transaction_service.domain.terms import HoldTerms, Terms, differing_terms

IMMEDIATE, MANUAL = "immediate", "manual"


class Kind(StrEnum):
    """A transfer moves money as asked; a reversal moves it back; a capture moves what a transfer has held."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"
    CAPTURE = "capture"


class InvalidPayment(ValueError):
    """A rule that the payment itself breaks. `code` is stable; `field` is at fault."""

    def __init__(self, code: str, field_name: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field_name
        self.message = message


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What a client asks for, under one idempotency key. `amount_minor` in minor units of `currency`."""

    client_id: str
    idempotency_key: str
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    reference: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    capture: str = IMMEDIATE
    kind: Kind = Kind.TRANSFER
    reverses: UUID | None = None
    captures: UUID | None = None
    terms: Terms | None = None

    def __post_init__(self) -> None:
        exponent_of(self.currency)  # raises UnknownCurrency
        if not 0 < self.amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidPayment(
                "amount_out_of_range", "amount_minor", f"must be from 1 to {MAX_AMOUNT_MINOR} minor units"
            )
        if self.debtor == self.creditor:
            raise InvalidPayment("same_account", "creditor", "must be another account than the debtor")
        if (self.capture == MANUAL) != (self.hold is not None):
            raise InvalidPayment("hold_not_allowed", "hold", "belongs to payments with manual capture alone")
        if self.hold is not None and self.amount_minor + self.hold.tolerance_minor > MAX_AMOUNT_MINOR:
            raise InvalidPayment("too_large", "hold.tolerance_minor", "and the amount together are too large")

    @property
    def hold(self) -> HoldTerms | None:
        """The terms on which money is held until it is captured; None for a payment that moves it at once."""
        return self.terms.hold if self.terms is not None else None

    def named(self, party: str) -> str:
        """How the debtor or creditor was named: the account, or a digest of another name for it."""
        account: str = getattr(self, party)
        return account if self.terms is None else self.terms.named.get(party, account)


@dataclass(frozen=True, slots=True)
class Payment:
    """An accepted order with its identity and the hash of its canonical form."""

    id: UUID
    order: PaymentOrder
    created_at: datetime
    hash: bytes

    @property
    def held_until(self) -> datetime | None:
        """When the hold of its money expires; None for a payment that moves it at once."""
        return None if self.order.hold is None else self.order.hold.end(accepted_at=self.created_at)

    @classmethod
    def accept(cls, order: PaymentOrder, *, payment_id: UUID, at: datetime) -> "Payment":
        """Make the immutable record of an order."""
        return cls(payment_id, order, at, record_hash(canonical_form(payment_id, order, at)))


# The fields in which two orders under one key may differ; each is named as the API names it.
_COMPARED = (
    "kind",
    "amount_minor",
    "currency",
    "reference",
    "description",
    "metadata",
    "capture",
    "reverses",
    "captures",
)
_PARTIES = ("debtor", "creditor")


def differing_fields(first: PaymentOrder, second: PaymentOrder) -> list[str]:
    """Name the fields in which two orders under one idempotency key differ; empty for an honest retry.

    Parties are compared as they were named: the same mobile number is the same request, whoever has it now.
    """
    fields = [party for party in _PARTIES if first.named(party) != second.named(party)]
    fields += [name for name in _COMPARED if getattr(first, name) != getattr(second, name)]
    return fields if first.terms is second.terms else fields + differing_terms(first.terms, second.terms)


def canonical_form(payment_id: UUID, order: PaymentOrder, created_at: datetime) -> dict[str, Any]:
    """Return what the record's hash covers: every immutable field.

    `captures` and `terms` are in it only where the payment has them.
    """
    form: dict[str, Any] = {
        "id": str(payment_id),
        "client_id": order.client_id,
        "idempotency_key": order.idempotency_key,
        "kind": str(order.kind),
        "debtor": order.debtor,
        "creditor": order.creditor,
        "amount_minor": order.amount_minor,
        "currency": order.currency,
        "reference": order.reference,
        "description": order.description,
        "metadata": dict(order.metadata),
        "capture": order.capture,
        "reverses": str(order.reverses) if order.reverses is not None else None,
        "created_at": canonical_time(created_at),
    }
    if order.captures is not None:
        form["captures"] = str(order.captures)
    if order.terms is not None:
        form["terms"] = order.terms.form()
    return form
