"""What several routes say in the same way."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from fraud_service.domain.payments import PaymentKind, ScreenedPayment

# What a person writes beside a change: some words on one line, no control characters, not only blanks.
REASON_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
Reason = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=REASON_PATTERN)]


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


# An instant as it is told: always in UTC, whatever zone the database's session is in.
Instant = Annotated[datetime, BeforeValidator(_in_utc)]


class Request(BaseModel):
    """A body as it must be sent: nothing missing, nothing more, nothing coerced."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answer(BaseModel):
    """A body as it is sent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class PaymentFacts(Answer):
    """The payment as it was screened. `created_at` is when its owner accepted it."""

    payment_id: UUID
    client_id: str
    kind: PaymentKind
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    reference: str | None
    created_at: Instant

    @classmethod
    def of(cls, payment: ScreenedPayment) -> Self:
        """Tell a payment."""
        return cls(
            payment_id=payment.payment_id,
            client_id=payment.client_id,
            kind=payment.kind,
            debtor=payment.debtor,
            creditor=payment.creditor,
            amount_minor=payment.amount.amount_minor,
            currency=payment.amount.currency,
            reference=payment.reference,
            created_at=payment.created_at,
        )
