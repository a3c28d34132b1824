"""Take the ledger's word on holds: the money is held, or the hold is over."""

from collections.abc import Sequence
from datetime import datetime

from contracts.messages import (
    HoldEnded,
    HoldPlaced,
    PaymentApproved,
    PaymentExpired,
    PaymentNotice,
    PaymentSettled,
    PaymentVoided,
)
from messaging.event import Event
from messaging.failures import PermanentFailure
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import HoldEnd
from transaction_service.domain.lifecycle import Standing, Status, move
from transaction_service.domain.payment import Payment
from transaction_service.operations.notices import notice
from transaction_service.operations.progress import Step, advance

_WAITING = (Status.PENDING, Status.REVIEW)
_NOTICES: dict[Status, type[PaymentNotice]] = {
    Status.SETTLED: PaymentSettled,
    Status.VOIDED: PaymentVoided,
    Status.EXPIRED: PaymentExpired,
}


async def record_placements(
    connection: AsyncConnection, answers: Sequence[Event[HoldPlaced]], *, at: datetime
) -> None:
    """Record APPROVED: screened, and the money held."""

    def decide(answer: Event[HoldPlaced], payment: Payment, standing: Standing) -> Step:
        _must_hold(payment)
        if standing.status in (Status.APPROVED, *_NOTICES):
            return Step()  # told before, or overtaken by the hold's end
        moves, after = move(standing, Status.APPROVED, at=at)
        return Step(moves, after, [notice(PaymentApproved, payment, moves[-1], cause=answer)])

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


async def record_ends(
    connection: AsyncConnection, answers: Sequence[Event[HoldEnded]], *, at: datetime
) -> None:
    """Record SETTLED if any of it was captured, else VOIDED or EXPIRED, with the figures of the end."""

    def decide(answer: Event[HoldEnded], payment: Payment, standing: Standing) -> Step:
        _must_hold(payment)
        end = _end(answer.data)
        if standing.status is end.status:
            return Step()  # a hold ends once: this is the same end, told again
        reason = None if end.status is Status.SETTLED else end.reason
        step = Step(ends=[end])
        if standing.status in _WAITING:
            # It ended so soon that this came before the word that it had begun.
            step.moves, standing = move(standing, Status.APPROVED, at=at)
            step.events.append(notice(PaymentApproved, payment, step.moves[-1], cause=answer))
        moves, step.standing = move(standing, end.status, at=at, reason=reason)
        step.moves += moves
        told = notice(
            _NOTICES[end.status], payment, moves[-1], cause=answer, captured_minor=end.captured_minor
        )
        step.events.append(told)
        return step

    await advance(connection, answers, payment_id=lambda data: data.payment_id, decide=decide)


def _must_hold(payment: Payment) -> None:
    if payment.order.hold is None:
        raise PermanentFailure("no_authorisation", f"payment {payment.id} holds no money")


def _end(data: HoldEnded) -> HoldEnd:
    return HoldEnd(
        payment_id=data.payment_id,
        ended_as=data.end,
        captured_minor=data.captured_minor,
        released_minor=data.released_minor,
        reason=data.reason,
        author=data.author,
        ended_at=data.ended_at,
    )
