"""Answer what the payments' owner asks of the ledger: move the money, hold it, give it up, or say why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.messages import Payload, PostingRequested, VoidRequested
from messaging import outbox
from messaging.event import Event
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.outcome import Outcome
from account_service.domain.posting import PostingRequest, VoidRequest
from account_service.operations.answers import answers
from account_service.operations.post_batch import post_batch


@dataclass(frozen=True, slots=True)
class LedgerRequest:
    """What is asked, and the event that asks."""

    request: PostingRequest | VoidRequest
    cause: Event[PostingRequested] | Event[VoidRequested]


async def post_payments(
    connection: AsyncConnection,
    asked: Sequence[LedgerRequest],
    *,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Sequence[Outcome]:
    """Do what is asked, in order, and write the answers into the outbox.

    A payment that was answered before gets the same answer again, and so does the void of a hold that has
    ended. Raises PaymentAlreadyDecided for a payment that comes with other content than before, and
    HoldNotFound.
    """
    outcomes = await post_batch(connection, [one.request for one in asked], clock=clock, new_id=new_id)
    at = clock.now()
    told: list[Event[Payload]] = []
    for one, outcome in zip(asked, outcomes, strict=True):
        told.extend(answers(one.cause.data.payment_id, outcome, at=at, cause=one.cause))
    await outbox.add(connection, told)
    return outcomes
