"""What each message says: one frozen model per type and version.

Within a version change is additive only: a consumer ignores fields it does not know, so every model here
does too. A message names parties by account reference and never carries a name or other personal data.
"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.money import MAX_AMOUNT_MINOR

PaymentKind = Literal["transfer", "reversal"]
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT_MINOR)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, Field(max_length=255)]


class Payload(BaseModel):
    """The `data` of one CloudEvent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class PaymentInitiated(Payload):
    """A payment was accepted and waits to be screened."""

    payment_id: UUID
    client_id: Text
    kind: PaymentKind
    debtor: Text
    creditor: Text
    amount_minor: AmountMinor
    currency: CurrencyCode
    reference: Text | None = None
    created_at: AwareDatetime


class FraudAssessed(Payload):
    """Screening answered: let it pass, let a person look, or refuse."""

    payment_id: UUID
    decision: Literal["approve", "review", "decline"]
    score: Annotated[int, Field(strict=True, ge=0, le=100)]
    reasons: list[Text]
    rules_version: int


class ReviewResolved(Payload):
    """A person decided a payment that was held for review."""

    payment_id: UUID
    decision: Literal["approve", "decline"]
    reason: Text
    resolved_by: Text


class PostingRequested(Payload):
    """Move this money from debtor to creditor, or say why not."""

    payment_id: UUID
    client_id: Text
    kind: PaymentKind
    debtor: Text
    creditor: Text
    amount_minor: AmountMinor
    currency: CurrencyCode
    reverses: UUID | None = None


class PostingCompleted(Payload):
    """The money moved, in one balanced posting."""

    payment_id: UUID
    posting_id: UUID
    posted_at: AwareDatetime


class PostingDeclined(Payload):
    """The ledger refused and nothing moved. `code` is stable; `field` names the party or amount at fault."""

    payment_id: UUID
    code: Text
    field: Text | None = None


class PaymentNotice(Payload):
    """What upstream systems hear of a payment: its immutable facts and the state it reached."""

    payment_id: UUID
    client_id: Text
    kind: PaymentKind
    debtor: Text
    creditor: Text
    amount_minor: AmountMinor
    currency: CurrencyCode
    reference: Text | None = None
    status: Text
    reason: Text | None = None
    reverses: UUID | None = None
    created_at: AwareDatetime
    occurred_at: AwareDatetime


class PaymentInReview(PaymentNotice):
    """A person has to decide before this payment goes on."""


class PaymentSettled(PaymentNotice):
    """The payment reached its good end: the money moved."""


class PaymentRejected(PaymentNotice):
    """The payment reached its bad end: nothing moved, and `reason` says which rule refused it."""
