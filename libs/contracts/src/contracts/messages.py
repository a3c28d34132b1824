"""What each message says: one frozen model per type and version.

Within a version change is additive only: a consumer ignores fields it does not know, so every model here
does too. A message names parties by account reference and never carries a name or other personal data.
"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.money import MAX_AMOUNT_MINOR

PaymentKind = Literal["transfer", "reversal", "capture"]
PostingKind = Literal["transfer", "reversal", "hold", "capture"]
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT_MINOR)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, Field(max_length=255)]
Figures = dict[Text, int | str]


def _nothing(value: object) -> bool:
    return value is None


# Of a field that was added later: where it says nothing it is left out, so that what was sent before is sent
# as before, to the byte.
LATER = Field(default=None, exclude_if=_nothing)


class Payload(BaseModel):
    """The `data` of one CloudEvent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class Part(BaseModel):
    """A part of a payload."""

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


class HoldTerms(Part):
    """What is held waits until it is captured, voided or expires at `expires_at`.

    Captured once it ends with its first capture, the rest released; else with the one that says so.
    `tolerance_minor` is how far all captures together may pass what was held.
    """

    expires_at: AwareDatetime
    captured_many_times: bool = False
    tolerance_minor: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_MINOR)] = 0


class CaptureTerms(Part):
    """Held money of the payment `of` is to move; when `final`, what is left of the hold is released."""

    of: UUID
    final: bool


class PostingConditions(Part):
    """What must be true of the debtor's account when the money moves; else nothing does."""

    version: Annotated[int, Field(strict=True, ge=0)] | None = None
    available_at_least_minor: Annotated[int, Field(strict=True)] | None = None


class PostingRequested(Payload):
    """Move or hold this money from debtor to creditor, or say why not.

    `hold` is set for the kind `hold` alone, `capture` for `capture`, `reverses` for `reversal`.
    """

    payment_id: UUID
    client_id: Text
    kind: PostingKind
    debtor: Text
    creditor: Text
    amount_minor: AmountMinor
    currency: CurrencyCode
    reverses: UUID | None = None
    hold: HoldTerms | None = LATER
    capture: CaptureTerms | None = LATER
    conditions: PostingConditions | None = LATER


class VoidRequested(Payload):
    """Give up what is still held for this payment."""

    payment_id: UUID
    client_id: Text
    reason: Text
    author: Text


class PostingCompleted(Payload):
    """The money moved, in one balanced posting."""

    payment_id: UUID
    posting_id: UUID
    posted_at: AwareDatetime


class PostingDeclined(Payload):
    """The ledger refused and nothing moved. `code` is stable; `field` names the party or amount at fault.

    `figures` are the amounts that the refusal turned on, such as `limit`, `used` and `asked`.
    """

    payment_id: UUID
    code: Text
    field: Text | None = None
    figures: Figures | None = LATER


class HoldPlaced(Payload):
    """The money is held: it counts against what is available, and nothing has moved yet."""

    payment_id: UUID
    held_at: AwareDatetime
    expires_at: AwareDatetime


class HoldEnded(Payload):
    """The hold is over, once and for all: what was captured has moved, the rest is available again."""

    payment_id: UUID
    end: Literal["captured", "voided", "expired"]
    captured_minor: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_MINOR)]
    released_minor: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_MINOR)]
    reason: Text
    author: Text
    ended_at: AwareDatetime


class CustomerRegistered(Payload):
    """A customer can be paid under these handles: keyed hashes of a mobile number and an e-mail address.

    A later version replaces the handles of an earlier one.
    """

    customer_id: UUID
    client_id: Text
    handles: list[Text]
    version: Annotated[int, Field(strict=True, ge=1)]


class CustomerAccountOpened(Payload):
    """A customer has an account of this currency."""

    customer_id: UUID
    client_id: Text
    account: Text
    currency: CurrencyCode


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
    captures: UUID | None = LATER
    captured_minor: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_MINOR)] | None = LATER
    created_at: AwareDatetime
    occurred_at: AwareDatetime


class PaymentInReview(PaymentNotice):
    """A person has to decide before this payment goes on."""


class PaymentApproved(PaymentNotice):
    """The payment's money is held and waits to be captured."""


class PaymentVoided(PaymentNotice):
    """The payment was given up before any of it was captured: nothing moved."""


class PaymentExpired(PaymentNotice):
    """The payment was not captured in time: nothing moved."""


class PaymentSettled(PaymentNotice):
    """The payment reached its good end: the money moved."""


class PaymentRejected(PaymentNotice):
    """The payment reached its bad end: nothing moved, and `reason` says which rule refused it.

    `field` and `figures` are the ledger's own, where it gave any.
    """

    field: Text | None = LATER
    figures: Figures | None = LATER
