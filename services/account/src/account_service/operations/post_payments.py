"""Answer posting requests: move the money or say why not, and tell the payment's owner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.messages import Payload, PostingCompleted, PostingDeclined, PostingRequested
from messaging import outbox
from messaging.event import Event, new_event
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.decision import Completed, Outcome
from account_service.domain.posting import PostingRequest
from account_service.operations.post_batch import post_batch

# A payment is answered once: the answer is the first and only event of its posting.
_SEQUENCE = 1


@dataclass(frozen=True, slots=True)
class PaymentPosting:
    """What to post, and the event that asked for it."""

    request: PostingRequest
    cause: Event[PostingRequested]


async def post_payments(
    connection: AsyncConnection,
    payments: Sequence[PaymentPosting],
    *,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Sequence[Outcome]:
    """Post the payments in order and write an answer to each into the outbox.

    A payment that was answered before gets the same answer again. Raises PaymentAlreadyDecided for one that
    comes with other content than before.
    """
    requests = [payment.request for payment in payments]
    outcomes = await post_batch(connection, requests, clock=clock, new_id=new_id)
    at = clock.now()
    answers: list[Event[Payload]] = []
    for payment, outcome in zip(payments, outcomes, strict=True):
        data = _answer(payment.cause.data.payment_id, outcome)
        answers.append(
            new_event(data, subject=str(data.payment_id), sequence=_SEQUENCE, at=at, cause=payment.cause)
        )
    await outbox.add(connection, answers)
    return outcomes


def _answer(payment_id: UUID, outcome: Outcome) -> PostingCompleted | PostingDeclined:
    if isinstance(outcome, Completed):
        return PostingCompleted(
            payment_id=payment_id, posting_id=outcome.posting_id, posted_at=outcome.posted_at
        )
    return PostingDeclined(payment_id=payment_id, code=outcome.code.value, field=outcome.field)
