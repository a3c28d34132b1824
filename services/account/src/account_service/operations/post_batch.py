"""Decide a batch of requests under one round of locks: the one way by which any balance changes."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from contracts.currencies import CURRENCIES
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account
from account_service.domain.decision import AccountKey, Decision, decide
from account_service.domain.naming import SystemPurpose, currency_of, is_reference, system_reference
from account_service.domain.outcome import Outcome
from account_service.domain.posting import PostingKind, PostingRequest, Request
from account_service.operations.system_accounts import ensure_system_accounts
from account_service.persistence import accounts, postings
from account_service.persistence.holds import load_held_accounts, load_holds
from account_service.persistence.limit_usage import load_limits, save_usage
from account_service.persistence.reversal_policies import clients_that_lend

# The consumer's largest batch is 16 frames of 200. All in one round of locks: a second round within the same
# transaction could ask for an account below one that it holds already, and so for a deadlock.
MAX_BATCH = 5000


# How a batch comes by its accounts, given those that it names and those that lend: locked, to be posted to.
AccountsOf = Callable[
    [AsyncConnection, Collection[AccountKey], Collection[AccountKey]], Awaitable[Sequence[Account]]
]


async def post_batch(
    connection: AsyncConnection,
    requests: Sequence[Request],
    *,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Sequence[Outcome]:
    """Decide the requests in order and write what they come to; one outcome for each, in order.

    Accounts stay locked until the caller's transaction ends. A payment that was answered before gets its
    recorded answer and moves nothing. Raises PaymentAlreadyDecided and HoldNotFound.
    """

    async def locked(
        on: AsyncConnection, named: Collection[AccountKey], receivables: Collection[AccountKey]
    ) -> Sequence[Account]:
        for client_id in sorted({client_id for client_id, _ in receivables}):
            # Before any account is locked: it may wait for another transaction that opens the same one.
            currencies = [currency_of(reference) for owner, reference in receivables if owner == client_id]
            await ensure_system_accounts(on, client_id, SystemPurpose.RECEIVABLE, currencies, at=clock.now())
        return await accounts.lock_accounts(on, {*named, *receivables})

    decision, at = await decide_batch(connection, requests, accounts_of=locked, clock=clock, new_id=new_id)
    await postings.record_decision(connection, decision, at=at)
    await save_usage(connection, decision.used, decision.given_back, at=at)
    declined = [decline for decline in decision.declines if decline[0].payment_id is not None]
    await postings.record_declines(connection, declined, at=at)
    return decision.outcomes


async def decide_batch(
    connection: AsyncConnection,
    requests: Sequence[Request],
    *,
    accounts_of: AccountsOf,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> tuple[Decision, datetime]:
    """Load what the requests turn on and decide them, as of the returned instant; nothing is written but what
    `accounts_of` writes. Raises PaymentAlreadyDecided and HoldNotFound."""
    assert len(requests) <= MAX_BATCH, "a batch has a bound"
    payments = [request for request in requests if isinstance(request, PostingRequest)]
    payers = {(request.client_id, request.debtor) for request in payments}
    # Who gives up a hold names no account. Which it is on never changes, so it is read before the lock.
    given_up = [request.payment_id for request in requests if not isinstance(request, PostingRequest)]
    if given_up:
        payers |= await load_held_accounts(connection, given_up)
    receivables = await _receivables(connection, payments)
    loaded = await accounts_of(connection, _references(payers, payments), receivables)
    # Read only now: a duplicate that ran beside us has committed by the time we hold its accounts.
    payment_ids = [request.payment_id for request in requests if request.payment_id is not None]
    recorded = await postings.load_recorded(connection, payment_ids) if payment_ids else ()
    named = given_up + [request.capture.of for request in payments if request.capture is not None]
    holds = await load_holds(connection, named) if named else ()
    # Timed under the locks, so that an account's entries are in the order of their times.
    at = clock.now()
    limited = [one.id for one in loaded if one.limited and (one.client_id, one.reference) in payers]
    limits = await load_limits(connection, limited, at=at) if limited else ()
    decision = decide(
        requests,
        accounts=loaded,
        holds=holds,
        limits=limits,
        recorded=recorded,
        receivables=receivables,
        at=at,
        new_id=new_id,
    )
    return decision, at


def _references(payers: set[AccountKey], payments: Iterable[PostingRequest]) -> set[AccountKey]:
    payees = {(request.client_id, request.creditor) for request in payments}
    # What is no reference names no account, and need not be shown to the database.
    return {key for key in payers | payees if is_reference(key[1])}


async def _receivables(connection: AsyncConnection, payments: Iterable[PostingRequest]) -> set[AccountKey]:
    """The accounts that pay what the reversals' debtors have not, of the clients that want it so."""
    reversals = [
        request
        for request in payments
        if request.kind is PostingKind.REVERSAL and request.currency in CURRENCIES
    ]
    if not reversals:
        return set()
    lending = await clients_that_lend(connection, [request.client_id for request in reversals])
    return {
        (request.client_id, system_reference(SystemPurpose.RECEIVABLE, request.currency))
        for request in reversals
        if request.client_id in lending
    }
