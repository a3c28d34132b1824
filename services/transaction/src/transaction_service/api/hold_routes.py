"""/v1/payments/{id}/captures and /void: what becomes of held money."""

from uuid import UUID

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER
from service_kit.telemetry import current_traceparent

from transaction_service.api.answers import PaymentOut
from transaction_service.api.parts import (
    IdempotencyKey,
    PaymentParts,
    Prefer,
    Writer,
    answer,
    load_history,
    wait,
)
from transaction_service.api.schemas import CaptureIn, VoidIn
from transaction_service.operations.capture_payment import CapturePayment, capture_payment
from transaction_service.operations.void_payment import VoidPayment, void_payment


def add_hold_routes(router: APIRouter, parts: PaymentParts) -> None:
    """Add the routes, on these parts."""
    _add_capture(router, parts)
    _add_void(router, parts)


def _add_capture(router: APIRouter, parts: PaymentParts) -> None:
    @router.post("/{payment_id}/captures", status_code=202, summary="Capture all or part of held money")
    async def capture(
        payment_id: UUID,
        body: CaptureIn,
        client: Writer,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
        prefer: Prefer = None,
    ) -> PaymentOut:
        """A capture is a new payment, linked to the authorisation by `captures`. It is not screened again.
        The ledger decides whether the hold still has the money, and ends the hold if the capture is final."""
        command = CapturePayment(
            payment_id=payment_id,
            client_id=client.id,
            idempotency_key=key,
            amount_minor=body.amount_minor,
            final=body.final,
            reference=body.reference,
            description=body.description,
            origin=origin,
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            outcome = await capture_payment(connection, command, at=parts.clock.now(), new_id=parts.new_id)
        return await answer(parts, outcome, response, prefer)


def _add_void(router: APIRouter, parts: PaymentParts) -> None:
    @router.post("/{payment_id}/void", status_code=202, summary="Give up what is still held")
    async def void(
        payment_id: UUID,
        body: VoidIn,
        client: Writer,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
        prefer: Prefer = None,
    ) -> PaymentOut:
        """Answered with the payment as it stands; final (200) when waited for. Where a capture or the expiry
        was first the void changes nothing, and the payment's state tells which won."""
        command = VoidPayment(
            payment_id=payment_id,
            client_id=client.id,
            idempotency_key=key,
            reason=body.reason,
            origin=origin,
            traceparent=current_traceparent(),
        )
        async with parts.database.transaction() as connection:
            replayed = await void_payment(connection, command, at=parts.clock.now())
        response.headers["Location"] = f"/v1/payments/{payment_id}"
        if replayed:
            response.headers[REPLAYED_HEADER] = "true"
        if await wait(parts, payment_id, response, prefer) is not None:
            response.status_code = 200
        view = (await load_history(parts, payment_id, client_id=client.id)).view
        return PaymentOut.of(view.payment, status=view.status, reason=view.reason)
