"""Say what the ledger would do: the deciding of the real thing, on accounts looked at and not locked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account, AccountKind, AccountState
from account_service.domain.decision import AccountKey
from account_service.domain.hold import Conditions, HoldTerms
from account_service.domain.limits import AllowedAndUsed
from account_service.domain.naming import currency_of
from account_service.domain.outcome import Completed, Held
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.rules import Declined
from account_service.operations.post_batch import decide_batch
from account_service.persistence import accounts
from account_service.persistence.limit_usage import load_limits

# When a hold would expire decides nothing, as long as it is not at once.
_WHILE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImaginedPayment:
    """A payment that nobody has made: a transfer or a reversal. `held` is one that would be captured later,
    up to `tolerance_minor` beyond its amount."""

    client_id: str
    kind: PostingKind
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    held: bool = False
    tolerance_minor: int = 0
    conditions: Conditions | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the ledger would answer; the debtor's account, if it is there, and its limits, as they would then
    stand: as they are, when it would decline."""

    outcome: Completed | Held | Declined
    debtor: Account | None
    limits: Sequence[AllowedAndUsed]


async def dry_run(connection: AsyncConnection, payment: ImaginedPayment, *, clock: Clock) -> Forecast:
    """Decide the payment and write nothing: `connection` may be, and should be, one that only reads."""
    looked_at: list[Account] = []

    async def as_they_stand(
        on: AsyncConnection, named: Collection[AccountKey], receivables: Collection[AccountKey]
    ) -> Sequence[Account]:
        found = await accounts.look_at_accounts(on, {*named, *receivables})
        looked_at.extend(found)
        there = {(account.client_id, account.reference) for account in found}
        # The real thing would open it.
        return [*found, *(_unopened(key) for key in receivables if key not in there)]

    decision, at = await decide_batch(
        connection, [_request(payment, clock)], accounts_of=as_they_stand, clock=clock, new_id=uuid4
    )
    [outcome] = decision.outcomes
    assert isinstance(outcome, Completed | Held | Declined), "a payment is posted, held or declined"
    key = payment.client_id, payment.debtor
    standing = [account for account in (*decision.accounts, *looked_at) if _key(account) == key]
    if not standing:
        return Forecast(outcome, None, ())
    debtor = standing[0]
    limits = [one for one in decision.used if one.account_id == debtor.id]
    if debtor.limited and not limits:
        limits = await load_limits(connection, [debtor.id], at=at)
    return Forecast(outcome, debtor, [line for one in limits for line in one.standing()])


def _request(payment: ImaginedPayment, clock: Clock) -> PostingRequest:
    hold = None
    if payment.held:
        hold = HoldTerms(expires_at=clock.now() + _WHILE, tolerance_minor=payment.tolerance_minor)
    reverses: UUID | None = uuid4() if payment.kind is PostingKind.REVERSAL else None
    return PostingRequest(
        kind=PostingKind.HOLD if payment.held else payment.kind,
        client_id=payment.client_id,
        debtor=payment.debtor,
        creditor=payment.creditor,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        payment_id=uuid4(),
        reverses=reverses,
        hold=hold,
        conditions=payment.conditions,
    )


def _key(account: Account) -> AccountKey:
    return account.client_id, account.reference


def _unopened(key: AccountKey) -> Account:
    return Account(
        id=0,
        client_id=key[0],
        reference=key[1],
        currency=currency_of(key[1]),
        kind=AccountKind.SYSTEM,
        state=AccountState.ACTIVE,
        posted_minor=0,
        held_minor=0,
        overdraft_minor=None,
        version=0,
    )
