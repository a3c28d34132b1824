"""What clients are told: explicit, every field always there."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from transaction_service.domain.hold import HoldEnd
from transaction_service.domain.lifecycle import LifecycleEvent, Status
from transaction_service.domain.payment import Kind, Payment
from transaction_service.persistence.reading import PaymentHistory, PaymentView


class HoldOut(BaseModel):
    """The terms on which a payment's money is held until it is captured."""

    expires_at: datetime
    captured_many_times: bool
    tolerance_minor: int


class PaymentOut(BaseModel):
    """A payment as it was accepted: these fields never change, but for `status` and `reason`.

    `captures` and `reverses` name the payment that this one captures or reverses.
    """

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
    hold: HoldOut | None
    if_version: int | None
    if_available_at_least_minor: int | None
    reverses: UUID | None
    captures: UUID | None
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


class CaptureOut(BaseModel):
    """One capture of a hold."""

    id: UUID
    amount_minor: int
    status: Status


class HoldEndOut(BaseModel):
    """How a hold ended, and by whose word."""

    ended_as: str
    reason: str
    author: str
    ended_at: datetime


class HoldDetail(HoldOut):
    """A hold and what has become of it. Held, captured and released add up to the amount, unless more was
    captured than was held."""

    held_minor: int
    captured_minor: int
    released_minor: int
    captures: list[CaptureOut]
    end: HoldEndOut | None


class RefusalOut(BaseModel):
    """What a refusal turned on: the code, the field at fault, and the figures at that moment."""

    code: str
    field: str | None
    figures: dict[str, int | str]


class PaymentDetail(PaymentOut):
    """A payment with its life so far, what reverses it, and what became of its hold.

    `terms` is what the record's hash covers of hold, conditions and named parties.
    """

    hold: HoldDetail | None
    terms: dict[str, Any] | None
    refusal: RefusalOut | None
    reversed_minor: int
    reversals: list[UUID]
    lifecycle: list[LifecycleStep]

    @classmethod
    def of_history(cls, history: PaymentHistory) -> Self:
        """Tell a payment's whole life."""
        view = history.view
        order = view.payment.order
        return cls(
            **_fields(view.payment) | {"hold": _hold_detail(history)},
            terms=None if order.terms is None else order.terms.form(),
            refusal=_refusal(history),
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
    conditions = None if order.terms is None else order.terms.conditions
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
        "hold": _hold(payment),
        "if_version": None if conditions is None else conditions.version,
        "if_available_at_least_minor": None if conditions is None else conditions.available_at_least_minor,
        "reverses": order.reverses,
        "captures": order.captures,
        "created_at": payment.created_at,
        "record_hash": payment.hash.hex(),
    }


def _hold(payment: Payment) -> HoldOut | None:
    terms, until = payment.order.hold, payment.held_until
    if terms is None or until is None:
        return None
    return HoldOut(
        expires_at=until,
        captured_many_times=terms.captured_many_times,
        tolerance_minor=terms.tolerance_minor,
    )


def _hold_detail(history: PaymentHistory) -> HoldDetail | None:
    terms, found = _hold(history.view.payment), history.hold
    if terms is None or found is None:
        return None
    end = found.end
    captured = sum(one.amount_minor for one in found.captures if one.status is Status.SETTLED)
    if end is not None:
        captured = end.captured_minor
    is_held = history.view.status is Status.APPROVED and end is None
    held = max(0, history.view.payment.order.amount_minor - captured) if is_held else 0
    return HoldDetail(
        **terms.model_dump(),
        held_minor=held,
        captured_minor=captured,
        released_minor=0 if end is None else end.released_minor,
        captures=[
            CaptureOut(id=one.id, amount_minor=one.amount_minor, status=one.status) for one in found.captures
        ],
        end=None if end is None else _end(end),
    )


def _end(end: HoldEnd) -> HoldEndOut:
    return HoldEndOut(ended_as=end.ended_as, reason=end.reason, author=end.author, ended_at=end.ended_at)


def _refusal(history: PaymentHistory) -> RefusalOut | None:
    refusal, view = history.refusal, history.view
    if refusal is None or view.reason is None:
        return None
    return RefusalOut(code=view.reason, field=refusal.field, figures=dict(refusal.figures))
