"""Post a batch of movements under one round of locks: the one way by which any balance changes."""

from collections.abc import Callable, Sequence
from uuid import UUID

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.decision import AccountKey, Outcome, decide
from account_service.domain.naming import is_reference
from account_service.domain.posting import PostingRequest
from account_service.persistence import accounts, postings

# The consumer's largest batch is 16 frames of 200. All in one round of locks: a second round within the same
# transaction could ask for an account below one that it holds already, and so for a deadlock.
MAX_BATCH = 5000


async def post_batch(
    connection: AsyncConnection,
    requests: Sequence[PostingRequest],
    *,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Sequence[Outcome]:
    """Decide the requests in order and write what they come to; one outcome for each, in order.

    Accounts stay locked until the caller's transaction ends. A payment that was answered before gets its
    recorded answer and moves nothing. Raises PaymentAlreadyDecided.
    """
    assert len(requests) <= MAX_BATCH, "a batch has a bound"
    locked = await accounts.lock_accounts(connection, _parties(requests))
    # Read only now: a duplicate that ran beside us has committed by the time we hold its accounts.
    payment_ids = [request.payment_id for request in requests if request.payment_id is not None]
    recorded = await postings.load_recorded(connection, payment_ids) if payment_ids else ()
    # Timed under the locks, so that an account's entries are in the order of their times.
    at = clock.now()
    decision = decide(requests, accounts=locked, recorded=recorded, at=at, new_id=new_id)
    await postings.record_postings(connection, decision.postings, decision.accounts, at=at)
    payments = [decline for decline in decision.declines if decline[0].payment_id is not None]
    await postings.record_declines(connection, payments, at=at)
    return decision.outcomes


def _parties(requests: Sequence[PostingRequest]) -> set[AccountKey]:
    # What is no reference names no account, and need not be shown to the database.
    return {
        (request.client_id, reference)
        for request in requests
        for reference in (request.debtor, request.creditor)
        if is_reference(reference)
    }
