"""What goes over the wire: strict in what is taken, explicit in what is given."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from contracts.currencies import CURRENCIES, UnknownCurrency
from contracts.money import MAX_AMOUNT_MINOR
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from transaction_service.domain.lifecycle import LifecycleEvent, Status
from transaction_service.domain.payment import Kind, Payment, PaymentOrder
from transaction_service.persistence.search import PaymentHistory, PaymentView

MAX_BATCH = 1000


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise UnknownCurrency(currency[:3])
    return currency


# One line of text for people: no control characters.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]+$"
AccountReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=140, pattern=_LINE)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=280, pattern=_LINE)]
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
AmountMinor = Annotated[
    int,
    Field(ge=1, le=MAX_AMOUNT_MINOR, description="In minor units: 1250 is 12.50 USD, 1250 JPY, 1.250 KWD."),
]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217 code."}),
]
ItemKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class Request(BaseModel):
    """A body as it must be sent: nothing missing, nothing more, nothing coerced."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class PaymentIn(Request):
    """A payment to make. Parties are the client's own account references."""

    debtor: AccountReference
    creditor: AccountReference
    amount_minor: AmountMinor
    currency: Currency
    reference: Reference | None = None
    description: Description | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)] = Field(default_factory=dict)
    capture: Literal["immediate"] = "immediate"

    def order(self, *, client_id: str, idempotency_key: str) -> PaymentOrder:
        """Read the order; raises the domain's own refusals."""
        return PaymentOrder(
            client_id=client_id,
            idempotency_key=idempotency_key,
            debtor=self.debtor,
            creditor=self.creditor,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            description=self.description,
            metadata=self.metadata,
            capture=self.capture,
        )


class BatchItemIn(PaymentIn):
    """One payment of a batch. Its own key, if given, guards it in whatever batch it comes again."""

    reference: Reference
    idempotency_key: ItemKey | None = None


# Items are read one by one, so that a bad one is refused alone; the document shows what each should be.
RawItem = Annotated[Any, WithJsonSchema(BatchItemIn.model_json_schema())]


class BatchIn(Request):
    """Up to 1,000 payments, each with an outcome of its own."""

    payments: Annotated[list[RawItem], Field(min_length=1, max_length=MAX_BATCH)]


class ReversalIn(Request):
    """What to give back; without an amount, all that is left."""

    amount_minor: AmountMinor | None = None
    reference: Reference | None = None
    description: Description | None = None


class PaymentOut(BaseModel):
    """A payment as it was accepted: these fields never change, but for `status` and `reason`."""

    id: UUID
    status: Status
    reason: str | None
    kind: Kind
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    reference: str | None
    description: str | None
    metadata: dict[str, str]
    capture: str
    reverses: UUID | None
    created_at: datetime
    record_hash: str

    @classmethod
    def of(cls, payment: Payment, *, status: Status = Status.PENDING, reason: str | None = None) -> Self:
        """Tell a payment, as just accepted unless its standing is given."""
        return cls(**_fields(payment), status=status, reason=reason)


class LifecycleStep(BaseModel):
    """One step, chained by hash to the one before."""

    sequence: int
    status: Status
    reason: str | None
    occurred_at: datetime
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: LifecycleEvent) -> Self:
        """Tell a step."""
        return cls(
            sequence=event.sequence,
            status=event.status,
            reason=event.reason,
            occurred_at=event.occurred_at,
            previous_hash=event.previous_hash.hex(),
            hash=event.hash.hex(),
        )


class PaymentDetail(PaymentOut):
    """A payment with its life so far and what reverses it."""

    reversed_minor: int
    reversals: list[UUID]
    lifecycle: list[LifecycleStep]

    @classmethod
    def of_history(cls, history: PaymentHistory) -> Self:
        """Tell a payment's whole life."""
        view = history.view
        return cls(
            **_fields(view.payment),
            status=view.status,
            reason=view.reason,
            reversed_minor=view.reversed_minor,
            reversals=history.reversals,
            lifecycle=[LifecycleStep.of(event) for event in history.events],
        )


class PaymentPage(BaseModel):
    """Payments, newest first."""

    items: list[PaymentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, views: list[PaymentView], next_cursor: str | None) -> Self:
        """Tell a page."""
        items = [PaymentOut.of(view.payment, status=view.status, reason=view.reason) for view in views]
        return cls(items=items, next_cursor=next_cursor)


class ItemProblem(BaseModel):
    """Why an item was refused."""

    code: str
    field: str
    message: str


class BatchItemOut(BaseModel):
    """What became of one item, at the same place as it was sent."""

    outcome: Literal["accepted", "replayed", "refused"]
    reference: str | None
    payment_id: UUID | None = None
    problem: ItemProblem | None = None


class BatchOut(BaseModel):
    """What became of a batch; the counts add up to the number of items."""

    accepted: int
    replayed: int
    refused: int
    items: list[BatchItemOut]


def _fields(payment: Payment) -> dict[str, Any]:
    order = payment.order
    return {
        "id": payment.id,
        "kind": order.kind,
        "debtor": order.debtor,
        "creditor": order.creditor,
        "amount_minor": order.amount_minor,
        "currency": order.currency,
        "reference": order.reference,
        "description": order.description,
        "metadata": dict(order.metadata),
        "capture": order.capture,
        "reverses": order.reverses,
        "created_at": payment.created_at,
        "record_hash": payment.hash.hex(),
    }
