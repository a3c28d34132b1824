"""/v1/payments: make payments, follow them, look for them, give them back."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR
from fastapi import APIRouter, Depends, Header, Query, Response
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.cursors import Cursor, Limit, decode_cursor, encode_cursor
from service_kit.database import Database
from service_kit.group_commit import GroupCommit
from service_kit.idempotency import REPLAYED_HEADER, idempotency_key
from service_kit.ids import IdFactory
from service_kit.parameters import Instant
from service_kit.telemetry import current_traceparent

from transaction_service.api.batch_items import read_items, tell_outcomes
from transaction_service.api.finality import FinalityWatch, wait_preference
from transaction_service.api.problems import key_reused
from transaction_service.api.schemas import (
    AccountReference,
    BatchIn,
    BatchOut,
    Currency,
    PaymentDetail,
    PaymentIn,
    PaymentOut,
    PaymentPage,
    Reference,
    ReversalIn,
)
from transaction_service.domain.lifecycle import Status
from transaction_service.operations.accept_batch import AcceptBatch, accept_batch
from transaction_service.operations.accept_payments import KeyReused, Outcome, PaymentRequest
from transaction_service.operations.reverse_payment import ReversePayment, UnknownPayment, reverse_payment
from transaction_service.persistence.search import PaymentFilter, PaymentHistory, find, history, load_view

Writer = Annotated[Client, Depends(requires("payments:write"))]
Reader = Annotated[Client, Depends(requires("payments:read"))]
IdempotencyKey = Annotated[str, Depends(idempotency_key)]
Prefer = Annotated[
    str | None, Header(max_length=200, description="`wait=N`: answer when final, or after N s.")
]
FilterAmount = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT_MINOR)]
FilterTime = Annotated[Instant | None, Query(description="RFC 3339 with an offset from UTC.")]
_LIST = "payments"


@dataclass(frozen=True, slots=True)
class PaymentParts:
    """What the routes work with."""

    database: Database
    clock: Clock
    new_id: IdFactory
    writer: GroupCommit[PaymentRequest, Outcome]
    finality: FinalityWatch
    max_wait_s: int


def payment_routes(parts: PaymentParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/payments", tags=["payments"])
    _add_writing(router, parts)
    _add_reading(router, parts)
    return router


def _add_writing(router: APIRouter, parts: PaymentParts) -> None:
    @router.post("", status_code=202, summary="Make a payment", responses={200: {"model": PaymentOut}})
    async def create_payment(
        body: PaymentIn, client: Writer, key: IdempotencyKey, response: Response, prefer: Prefer = None
    ) -> PaymentOut:
        """Accepted for good once answered: the payment can be read at once and will reach one final state.
        The same key and body again is answered like the first time, with `Idempotency-Replayed: true`; the
        same key with another body is refused and nothing is done."""
        request = PaymentRequest(body.order(client_id=client.id, idempotency_key=key), current_traceparent())
        outcome = await parts.writer.submit(request)
        return await _answer(parts, outcome, response, prefer)

    @router.post("/batches", status_code=202, summary="Make up to 1,000 payments")
    async def create_payments(
        body: BatchIn, client: Writer, key: IdempotencyKey, response: Response
    ) -> BatchOut:
        """Each item has an outcome of its own, at its own place. The header's key guards the batch as a
        whole; each item is guarded by its `idempotency_key`, or else by the batch's key, a slash and
        its `reference`."""
        command = AcceptBatch(
            client_id=client.id,
            idempotency_key=key,
            items=read_items(body.payments, client_id=client.id, batch_key=key),
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            result = await accept_batch(connection, command, at=parts.clock.now(), new_id=parts.new_id)
        if result.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return tell_outcomes(body.payments, result.outcomes)

    @router.post("/{payment_id}/reversals", status_code=202, summary="Give back all or part of a payment")
    async def reverse(
        payment_id: UUID,
        body: ReversalIn,
        client: Writer,
        key: IdempotencyKey,
        response: Response,
        prefer: Prefer = None,
    ) -> PaymentOut:
        """A reversal is a new payment, linked to the first by `reverses`. All reversals of a payment together
        never give back more than it moved."""
        command = ReversePayment(
            payment_id=payment_id,
            client_id=client.id,
            idempotency_key=key,
            amount_minor=body.amount_minor,
            reference=body.reference,
            description=body.description,
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            outcome = await reverse_payment(connection, command, at=parts.clock.now(), new_id=parts.new_id)
        return await _answer(parts, outcome, response, prefer)


def _add_reading(router: APIRouter, parts: PaymentParts) -> None:
    @router.get("", summary="Payments, newest first")
    async def list_payments(
        client: Reader,
        account: AccountReference | None = None,
        status: Status | None = None,
        currency: Currency | None = None,
        reference: Reference | None = None,
        amount_from_minor: FilterAmount = None,
        amount_to_minor: FilterAmount = None,
        created_from: FilterTime = None,
        created_to: FilterTime = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> PaymentPage:
        """`account` finds payments from or to it. Amounts are inclusive; times from inclusive, to
        exclusive."""
        wanted = PaymentFilter(
            client_id=client.id,
            account=account,
            status=status,
            currency=currency,
            reference=reference,
            amount_from_minor=amount_from_minor,
            amount_to_minor=amount_to_minor,
            created_from=created_from,
            created_to=created_to,
        )
        before = decode_cursor(_LIST, cursor, read=UUID) if cursor is not None else None
        async with parts.database.snapshot() as connection:
            views = await find(connection, wanted, before=before, limit=limit + 1)
        page = views[:limit]
        more = len(views) > limit
        return PaymentPage.of(page, encode_cursor(_LIST, str(page[-1].payment.id)) if more else None)

    @router.get("/{payment_id}", summary="One payment with its lifecycle")
    async def get_payment(
        payment_id: UUID, client: Reader, response: Response, prefer: Prefer = None
    ) -> PaymentDetail:
        """With `Prefer: wait=N` answers as soon as the payment is final, or with what it is after N
        seconds."""
        await _wait(parts, payment_id, response, prefer, client_id=client.id)
        return PaymentDetail.of_history(await _history(parts, payment_id, client_id=client.id))


async def _answer(
    parts: PaymentParts, outcome: Outcome, response: Response, prefer: str | None
) -> PaymentOut:
    if isinstance(outcome, KeyReused):
        raise key_reused(outcome.payment_id, outcome.fields)
    payment = outcome.payment
    response.headers["Location"] = f"/v1/payments/{payment.id}"
    if outcome.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    if not await _wait(parts, payment.id, response, prefer):
        return PaymentOut.of(payment)
    async with parts.database.snapshot() as connection:
        view = await load_view(connection, payment.id, client_id=payment.order.client_id)
    assert view is not None, "an accepted payment cannot be gone"
    response.status_code = 200
    return PaymentOut.of(payment, status=view.status, reason=view.reason)


async def _wait(
    parts: PaymentParts,
    payment_id: UUID,
    response: Response,
    prefer: str | None,
    *,
    client_id: str | None = None,
) -> bool:
    """Wait if the caller asked to; True if the payment is known to be final."""
    seconds = wait_preference(prefer, limit_s=parts.max_wait_s)
    if seconds == 0:
        return False
    if client_id is not None:
        # Not to wait for what the caller may not see: the time taken would tell that it exists.
        await _history(parts, payment_id, client_id=client_id)
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return await parts.finality.wait(payment_id, timeout_s=seconds)


async def _history(parts: PaymentParts, payment_id: UUID, *, client_id: str) -> PaymentHistory:
    async with parts.database.snapshot() as connection:
        found = await history(connection, payment_id, client_id=client_id)
    if found is None:
        raise UnknownPayment(payment_id)
    return found
