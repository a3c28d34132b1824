"""A payment as screening sees it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.money import Money


class PaymentKind(StrEnum):
    """A transfer is money a debtor sends; a reversal gives back what a transfer moved."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class ScreenedPayment:
    """The inputs of one decision, as they were received. `created_at` is the payment's own event time."""

    payment_id: UUID
    client_id: str
    kind: PaymentKind
    debtor: str
    creditor: str
    amount: Money
    reference: str | None
    created_at: datetime

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError("created_at must carry a time zone: velocity is counted on it")
