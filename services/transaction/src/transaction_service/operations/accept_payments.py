"""Accept payments: one record per (client, idempotency key), for ever, however often it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.messages import PaymentInitiated
from messaging import outbox
from messaging.event import Event, new_event
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import first_event
from transaction_service.domain.payment import Kind, Payment, PaymentOrder, differing_fields
from transaction_service.operations import figures
from transaction_service.operations.facts import facts
from transaction_service.operations.posting_requests import posting_requested
from transaction_service.persistence import payments


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """An order with the trace it came in on."""

    order: PaymentOrder
    traceparent: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes this payment the only one of its kind."""
        return self.order.client_id, self.order.idempotency_key


@dataclass(frozen=True, slots=True)
class Accepted:
    """The payment stands; `replayed` if it stood before."""

    payment: Payment
    replayed: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key belongs to a payment that differs in `fields`; nothing was done."""

    payment_id: UUID
    fields: list[str]


Outcome = Accepted | KeyReused


async def accept_payments(
    connection: AsyncConnection,
    requests: Sequence[PaymentRequest],
    *,
    at: datetime,
    new_id: Callable[[], UUID],
) -> list[Outcome]:
    """Save what is new and ask for its screening; return one outcome for each request, in order.

    A capture goes to the ledger at once: its authorisation was screened.

    A concurrent duplicate in another transaction is waited for and then replayed.
    """
    first_of_key = {request.key: request for request in reversed(requests)}
    # In key order, so that two callers with overlapping retries cannot deadlock.
    candidates = {
        key: (Payment.accept(request.order, payment_id=new_id(), at=at), request)
        for key, request in sorted(first_of_key.items(), key=lambda entry: entry[0])
    }
    inserted = await payments.save_new(
        connection,
        [(payment, first_event(payment.id, payment.hash, at=at)) for payment, _ in candidates.values()],
    )
    standing = {key: payment for key, (payment, _) in candidates.items() if payment.id in inserted}
    taken = [key for key in candidates if key not in standing]
    if taken:
        standing |= await payments.load_by_keys(connection, taken)
    new = [(payment, request) for payment, request in candidates.values() if payment.id in inserted]
    await payments.save_metadata(connection, (payment for payment, _ in new))
    figures.note_accepted(connection, (payment for payment, _ in new))
    await outbox.add(
        connection, [_first_question(payment, request.traceparent, at) for payment, request in new]
    )
    return _outcomes(requests, standing, inserted)


def _outcomes(
    requests: Sequence[PaymentRequest], standing: dict[tuple[str, str], Payment], inserted: set[UUID]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    told: set[UUID] = set()
    for request in requests:
        payment = standing[request.key]
        if fields := differing_fields(payment.order, request.order):
            outcomes.append(KeyReused(payment.id, fields))
            continue
        # Of several equal requests in one batch the first made the payment and the others found it.
        replayed = payment.id not in inserted or payment.id in told
        told.add(payment.id)
        outcomes.append(Accepted(payment, replayed))
    return outcomes


def _first_question(payment: Payment, traceparent: str | None, at: datetime) -> Event[Any]:
    order = payment.order
    if order.kind is Kind.CAPTURE:
        return posting_requested(payment, sequence=1, at=at, traceparent=traceparent)
    return new_event(
        PaymentInitiated(
            **facts(payment),
            reference=order.reference,
            created_at=payment.created_at,
        ),
        subject=str(payment.id),
        sequence=1,
        at=at,
        traceparent=traceparent,
    )
