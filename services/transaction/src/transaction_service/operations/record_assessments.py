"""Take screening's answer: ask for the posting, hold for a person, or reject."""

from collections.abc import Sequence
from datetime import datetime

from contracts.messages import (
    FraudAssessed,
    Payload,
    PaymentInReview,
    PaymentRejected,
    PostingRequested,
    ReviewResolved,
)
from messaging.event import Event, new_event
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import Standing, Status, move
from transaction_service.domain.payment import Payment
from transaction_service.operations.facts import facts
from transaction_service.operations.notices import notice
from transaction_service.operations.progress import Step, advance

DECLINED_BY_SCREENING = "screening_declined"
DECLINED_BY_REVIEW = "review_declined"


async def record_assessments(
    connection: AsyncConnection, answers: Sequence[Event[FraudAssessed]], *, at: datetime
) -> None:
    """Apply what screening decided."""

    def decide(answer: Event[FraudAssessed], payment: Payment, standing: Standing) -> Step:
        if standing.status is not Status.PENDING:
            return Step()  # decided before: this is a second answer to a question asked again
        match answer.data.decision:
            case "approve":
                return Step(events=[_posting_requested(payment, standing, cause=answer, at=at)])
            case "review":
                moves, after = move(
                    standing, Status.REVIEW, at=at, reason=", ".join(answer.data.reasons)[:255] or None
                )
                return Step(moves, after, [notice(PaymentInReview, payment, moves[-1], cause=answer)])
            case "decline":
                return rejection(payment, standing, DECLINED_BY_SCREENING, cause=answer, at=at)

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


async def record_reviews(
    connection: AsyncConnection, answers: Sequence[Event[ReviewResolved]], *, at: datetime
) -> None:
    """Apply what a person decided."""

    def decide(answer: Event[ReviewResolved], payment: Payment, standing: Standing) -> Step:
        if standing.is_final:
            return Step()
        if answer.data.decision == "approve":
            return Step(events=[_posting_requested(payment, standing, cause=answer, at=at)])
        return rejection(payment, standing, DECLINED_BY_REVIEW, cause=answer, at=at)

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


def rejection(
    payment: Payment, standing: Standing, reason: str, *, cause: Event[Payload], at: datetime
) -> Step:
    """End the payment as REJECTED, with the code of the rule that refused it."""
    moves, after = move(standing, Status.REJECTED, at=at, reason=reason)
    return Step(moves, after, [notice(PaymentRejected, payment, moves[-1], cause=cause)])


def _posting_requested(
    payment: Payment, standing: Standing, *, cause: Event[Payload], at: datetime
) -> Event[PostingRequested]:
    order = payment.order
    return new_event(
        PostingRequested(
            **facts(payment),
            reverses=order.reverses,
        ),
        subject=str(payment.id),
        sequence=standing.sequence,
        at=at,
        cause=cause,
    )
