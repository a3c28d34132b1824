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


class Kind(StrEnum):
    """A transfer moves money as asked; a reversal moves it back."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"


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
    capture: str = "immediate"
    kind: Kind = Kind.TRANSFER
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        exponent_of(self.currency)  # raises UnknownCurrency
        if not 0 < self.amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidPayment(
                "amount_out_of_range", "amount_minor", f"must be from 1 to {MAX_AMOUNT_MINOR} minor units"
            )
        if self.debtor == self.creditor:
            raise InvalidPayment("same_account", "creditor", "must be another account than the debtor")


@dataclass(frozen=True, slots=True)
class Payment:
    """An accepted order with its identity and the hash of its canonical form."""

    id: UUID
    order: PaymentOrder
    created_at: datetime
    hash: bytes

    @classmethod
    def accept(cls, order: PaymentOrder, *, payment_id: UUID, at: datetime) -> "Payment":
        """Make the immutable record of an order."""
        return cls(payment_id, order, at, record_hash(canonical_form(payment_id, order, at)))


# The fields in which two orders under one key may differ; each is named as the API names it.
_COMPARED = (
    "kind",
    "debtor",
    "creditor",
    "amount_minor",
    "currency",
    "reference",
    "description",
    "metadata",
    "capture",
    "reverses",
)


def differing_fields(first: PaymentOrder, second: PaymentOrder) -> list[str]:
    """Name the fields in which two orders under one idempotency key differ; empty for an honest retry."""
    return [name for name in _COMPARED if getattr(first, name) != getattr(second, name)]


def canonical_form(payment_id: UUID, order: PaymentOrder, created_at: datetime) -> dict[str, Any]:
    """Return what the record's hash covers: every immutable field."""
    return {
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
