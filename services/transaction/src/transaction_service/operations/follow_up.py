"""A payment that goes on from another one of the client's: a capture of it, or a reversal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from service_kit.audit import Entry
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import Status
from transaction_service.domain.payment import Payment, PaymentOrder
from transaction_service.operations.accept_payments import Accepted, KeyReused, Outcome
from transaction_service.persistence import payments

Differing = Callable[[PaymentOrder], Mapping[str, bool]]


class UnknownPayment(LookupError):
    """The client has no such payment."""


class FollowUp(Protocol):
    """What both commands say."""

    @property
    def payment_id(self) -> UUID: ...
    @property
    def client_id(self) -> str: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def amount_minor(self) -> int | None: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Original:
    """The payment that is gone on from, locked; `reversed_minor` of it is given back or about to be."""

    payment: Payment
    status: Status
    reversed_minor: int


async def lock_or_replay(
    connection: AsyncConnection,
    command: FollowUp,
    *,
    link: Literal["captures", "reverses"],
    differing: Differing = lambda _order: {},
) -> Original | Outcome:
    """The original, locked; or the outcome of the request that used the key before.

    That request is compared as the client wrote it: what was left out matches whatever was filled in. It is
    linked to the original by `link`; `differing` compares what only this kind of request says. Raises
    `UnknownPayment`.
    """
    found = await payments.lock_original(connection, command.payment_id, client_id=command.client_id)
    if found is None:
        raise UnknownPayment(command.payment_id)
    key = (command.client_id, command.idempotency_key)
    earlier = (await payments.load_by_keys(connection, [key])).get(key)
    if earlier is None:
        original, standing, reversed_minor = found
        return Original(original, standing.status, reversed_minor)
    order = earlier.order
    differs = {
        link: getattr(order, link) != command.payment_id,
        "amount_minor": command.amount_minor not in (None, order.amount_minor),
        **differing(order),
        "reference": command.reference != order.reference,
        "description": command.description != order.description,
    }
    fields = [name for name, other in differs.items() if other]
    return KeyReused(earlier.id, fields) if fields else Accepted(earlier, replayed=True)


def follow_up_entry(action: str, payment_id: UUID, made: Payment) -> Entry:
    """What the audit log tells of a payment that follows from another."""
    after = {
        "payment_id": made.id,
        "amount_minor": made.order.amount_minor,
        "currency": made.order.currency,
    }
    return Entry(action=action, subject_type="payment", subject=str(payment_id), after=after)
