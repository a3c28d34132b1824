"""Take the ledger's answer: the money moved, or it did not and the ledger says why."""

from collections.abc import Sequence
from datetime import datetime

from contracts.messages import PaymentSettled, PostingCompleted, PostingDeclined
from messaging.event import Event
from messaging.failures import PermanentFailure
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import Standing, Status, move
from transaction_service.domain.payment import Payment
from transaction_service.domain.terms import field_of_request
from transaction_service.operations.notices import notice
from transaction_service.operations.progress import Step, advance
from transaction_service.operations.record_assessments import rejection
from transaction_service.persistence.holds import Refusal


async def record_completions(
    connection: AsyncConnection, answers: Sequence[Event[PostingCompleted]], *, at: datetime
) -> None:
    """Record APPROVED and SETTLED: with immediate capture one posting secures and moves the funds at once."""

    def decide(answer: Event[PostingCompleted], payment: Payment, standing: Standing) -> Step:
        if payment.order.hold is not None:
            raise PermanentFailure("contradictory_answer", f"payment {payment.id} only holds money")
        if standing.status is Status.SETTLED:
            return Step()  # the ledger answered a repeated request with what it had recorded
        moves, after = move(standing, Status.APPROVED, Status.SETTLED, at=at)
        return Step(moves, after, [notice(PaymentSettled, payment, moves[-1], cause=answer)])

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


async def record_declines(
    connection: AsyncConnection, answers: Sequence[Event[PostingDeclined]], *, at: datetime
) -> None:
    """Record REJECTED with the ledger's code and the figures that it turned on."""

    def decide(answer: Event[PostingDeclined], payment: Payment, standing: Standing) -> Step:
        if standing.status is Status.REJECTED:
            return Step()
        data = answer.data
        field = field_of_request(data.field)
        step = rejection(payment, standing, data.code, cause=answer, at=at, field=field, figures=data.figures)
        if data.figures:
            step.refusals.append(Refusal(payment.id, field, data.figures))
        return step

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)
