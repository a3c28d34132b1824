"""Take screening's answer: ask for the posting, hold for a person, or reject."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.messages import (
    FraudAssessed,
    Payload,
    PaymentInReview,
    PaymentRejected,
    ReviewResolved,
)
from messaging.event import Event
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.forecast import DECLINED_BY_SCREENING
from transaction_service.domain.lifecycle import Standing, Status, move
from transaction_service.domain.payment import Payment
from transaction_service.operations.notices import notice
from transaction_service.operations.posting_requests import posting_requested
from transaction_service.operations.progress import Step, advance

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
                return Step(
                    events=[posting_requested(payment, sequence=standing.sequence, cause=answer, at=at)]
                )
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
            return Step(events=[posting_requested(payment, sequence=standing.sequence, cause=answer, at=at)])
        return rejection(payment, standing, DECLINED_BY_REVIEW, cause=answer, at=at)

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


def rejection(
    payment: Payment, standing: Standing, reason: str, *, cause: Event[Payload], at: datetime, **more: Any
) -> Step:
    """End the payment as REJECTED, with the code of the rule that refused it, and what `more` is known."""
    moves, after = move(standing, Status.REJECTED, at=at, reason=reason)
    return Step(moves, after, [notice(PaymentRejected, payment, moves[-1], cause=cause, **more)])
