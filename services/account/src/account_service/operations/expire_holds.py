"""End holds whose time is over, and tell their payments' owner."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from contracts.messages import Payload
from messaging import outbox
from messaging.event import Event
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.outcome import Ended
from account_service.domain.posting import Expiry
from account_service.operations.answers import answers
from account_service.operations.post_batch import post_batch
from account_service.persistence.accounts import lock_accounts, lock_free_accounts
from account_service.persistence.holds import DueHold, load_due_holds

EXPIRY_LIMIT = 500
# For so long an account that another transaction works on is left to a later round; then it is waited for, so
# that an account that is never free does not keep its holds open.
_PATIENCE = timedelta(milliseconds=500)


async def expire_holds(
    connection: AsyncConnection, *, clock: Clock, new_id: Callable[[], UUID], limit: int = EXPIRY_LIMIT
) -> int:
    """End at most `limit` holds that have expired, the longest overdue first; returns how many.

    Whatever captures or voids one of them meanwhile wins or loses under the lock of its account.
    """
    at = clock.now()
    due = await load_due_holds(connection, at=at, limit=limit)
    if not due:
        return 0
    within_reach = await _lock(connection, due, at)
    expiries = [Expiry(hold.debtor[0], hold.payment_id) for hold in due if hold.debtor in within_reach]
    outcomes = await post_batch(connection, expiries, clock=clock, new_id=new_id)
    told: list[Event[Payload]] = []
    for expiry, outcome in zip(expiries, outcomes, strict=True):
        told.extend(answers(expiry.payment_id, outcome, at=clock.now(), cause=None))
    await outbox.add(connection, told)
    return sum(isinstance(outcome, Ended) for outcome in outcomes)


async def _lock(connection: AsyncConnection, due: Sequence[DueHold], at: datetime) -> set[tuple[str, str]]:
    """The accounts of the due holds that are locked now, in the order that all locks are taken in."""
    waited = any(at - hold.expires_at > _PATIENCE for hold in due)
    lock = lock_accounts if waited else lock_free_accounts
    locked = await lock(connection, {hold.debtor for hold in due})
    return {(account.client_id, account.reference) for account in locked}
