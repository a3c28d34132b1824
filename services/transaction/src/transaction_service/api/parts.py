"""What the routes work with, and what they have in common: who calls, how long it waits, what it is told."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.group_commit import GroupCommit
from service_kit.idempotency import REPLAYED_HEADER, idempotency_key, idempotency_key_if_sent
from service_kit.ids import IdFactory

from transaction_service.api.answers import PaymentOut
from transaction_service.api.finality import FinalityWatch, wait_preference
from transaction_service.api.parties import Handles
from transaction_service.api.problems import key_reused
from transaction_service.domain.lifecycle import RESTING, TERMINAL, End, Status
from transaction_service.operations.accept_payments import KeyReused, Outcome, PaymentRequest
from transaction_service.operations.follow_up import UnknownPayment
from transaction_service.outbound.peers import Peers
from transaction_service.persistence.reading import PaymentHistory, history

Writer = Annotated[Client, Depends(requires("payments:write"))]
Reader = Annotated[Client, Depends(requires("payments:read"))]
IdempotencyKey = Annotated[str, Depends(idempotency_key)]
# A dry run does nothing, and so needs none.
KeyIfSent = Annotated[str | None, Depends(idempotency_key_if_sent)]
Prefer = Annotated[
    str | None, Header(max_length=200, description="`wait=N`: answer when final, or after N s.")
]


@dataclass(frozen=True, slots=True)
class PaymentParts:
    """What the routes work with."""

    database: Database
    clock: Clock
    new_id: IdFactory
    writer: GroupCommit[PaymentRequest, Outcome]
    finality: FinalityWatch
    handles: Handles
    peers: Peers
    max_wait_s: int


async def answer(parts: PaymentParts, outcome: Outcome, response: Response, prefer: str | None) -> PaymentOut:
    """Tell what became of a request for a payment; if the caller waits, where the payment comes to.

    A payment whose money is to be held has come there once it is.
    """
    if isinstance(outcome, KeyReused):
        raise key_reused(outcome.payment_id, outcome.fields)
    payment = outcome.payment
    response.headers["Location"] = f"/v1/payments/{payment.id}"
    if outcome.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    until = TERMINAL if payment.order.hold is None else RESTING
    end = await wait(parts, payment.id, response, prefer, until=until)
    if end is None:
        return PaymentOut.of(payment)
    response.status_code = 200
    return PaymentOut.of(payment, status=end.status, reason=end.reason)


async def wait(
    parts: PaymentParts,
    payment_id: UUID,
    response: Response,
    prefer: str | None,
    *,
    until: frozenset[Status] = TERMINAL,
) -> End | None:
    """Wait if the caller asked to; where the payment stands, if it has come to one of `until`."""
    seconds = wait_preference(prefer, limit_s=parts.max_wait_s)
    if seconds == 0:
        return None
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return await parts.finality.wait(payment_id, timeout_s=seconds, until=until)


async def load_history(parts: PaymentParts, payment_id: UUID, *, client_id: str) -> PaymentHistory:
    """Return the client's payment with its life; raises UnknownPayment."""
    async with parts.database.snapshot() as connection:
        found = await history(connection, payment_id, client_id=client_id)
    if found is None:
        raise UnknownPayment(payment_id)
    return found
