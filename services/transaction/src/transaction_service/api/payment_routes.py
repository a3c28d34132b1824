"""/v1/payments: make payments, one by one and in batches, and give them back."""

from uuid import UUID

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER, required
from service_kit.telemetry import current_traceparent

from transaction_service.api.answers import BatchOut, PaymentOut
from transaction_service.api.batch_items import read_items, tell_outcomes
from transaction_service.api.dry_runs import DryRunOut, try_payment
from transaction_service.api.hold_routes import add_hold_routes
from transaction_service.api.parts import IdempotencyKey, KeyIfSent, PaymentParts, Prefer, Writer, answer
from transaction_service.api.reading_routes import add_reading_routes
from transaction_service.api.schemas import BatchIn, PaymentIn, ReversalIn
from transaction_service.domain.payment import PaymentOrder
from transaction_service.operations.accept_batch import AcceptBatch, accept_batch
from transaction_service.operations.accept_payments import PaymentRequest
from transaction_service.operations.name_parties import write_orders
from transaction_service.operations.reverse_payment import ReversePayment, reverse_payment


def payment_routes(parts: PaymentParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/payments", tags=["payments"])
    _add_making(router, parts)
    _add_reversing(router, parts)
    add_hold_routes(router, parts)
    add_reading_routes(router, parts)
    return router


def _add_making(router: APIRouter, parts: PaymentParts) -> None:
    @router.post(
        "", status_code=202, summary="Make a payment", responses={200: {"model": PaymentOut | DryRunOut}}
    )
    async def create_payment(
        body: PaymentIn,
        client: Writer,
        sent_key: KeyIfSent,
        response: Response,
        prefer: Prefer = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 - a query's parameter
    ) -> PaymentOut:
        """Accepted for good once answered: the payment can be read at once and will reach one final state.
        The same key and body again is answered like the first time, with `Idempotency-Replayed: true`; the
        same key with another body is refused and nothing is done.

        With `capture: manual` the money is held (APPROVED) until it is captured, voided, or the hold expires;
        who waits is answered once it is held. A payment that is refused in the end is answered as a payment
        too, REJECTED with its reason: it exists, and its key is spent.

        With `dry_run` nothing is done: the answer (200) says what would become of the payment, by the same
        rules, and names what could not be asked as unknown."""
        key = "" if dry_run else required(sent_key)
        order = await _order(parts, body, client_id=client.id, key=key)
        if dry_run:
            return await try_payment(parts.peers, order)  # type: ignore[return-value]
        outcome = await parts.writer.submit(PaymentRequest(order, current_traceparent()))
        return await answer(parts, outcome, response, prefer)

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
            items=read_items(body.payments, client_id=client.id, batch_key=key, handles=parts.handles),
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            result = await accept_batch(connection, command, at=parts.clock.now(), new_id=parts.new_id)
        if result.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return tell_outcomes(body.payments, result.outcomes)


def _add_reversing(router: APIRouter, parts: PaymentParts) -> None:
    @router.post("/{payment_id}/reversals", status_code=202, summary="Give back all or part of a payment")
    async def reverse(
        payment_id: UUID,
        body: ReversalIn,
        client: Writer,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
        prefer: Prefer = None,
    ) -> PaymentOut:
        """A reversal is a new payment, linked to the first by `reverses`. All reversals of a payment together
        never give back more than it moved; above the client's approval limit two people decide (409
        `approval_required`: propose it). What was captured is given back by reversing the capture."""
        command = ReversePayment(
            payment_id=payment_id,
            client_id=client.id,
            idempotency_key=key,
            amount_minor=body.amount_minor,
            reference=body.reference,
            description=body.description,
            origin=origin,
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            outcome = await reverse_payment(connection, command, at=parts.clock.now(), new_id=parts.new_id)
        return await answer(parts, outcome, response, prefer)


async def _order(parts: PaymentParts, body: PaymentIn, *, client_id: str, key: str) -> PaymentOrder:
    """The order; parties that are not named by account are looked up, in one statement."""
    if not body.needs_looking_up:
        return body.order(client_id=client_id, idempotency_key=key)
    asked = body.asked(parts.handles, client_id=client_id, idempotency_key=key)
    async with parts.database.snapshot() as connection:
        (order,) = await write_orders(connection, [asked], client_id=client_id, at=parts.clock.now())
    if not isinstance(order, PaymentOrder):
        raise order
    return order
