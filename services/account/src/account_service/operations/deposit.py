"""Pay money from outside into an account: a posting from the client's settlement account."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account, AccountKind, AccountState, SystemAccountIsFixed
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode, Declined
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.post_batch import post_batch
from account_service.operations.read_accounts import read_account
from account_service.operations.system_accounts import ensure_system_accounts
from account_service.persistence.accounts import lock_accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is paid in, and where to."""

    account: str
    amount_minor: int
    currency: str
    reference: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Deposit:
    """The command."""

    client_id: str
    idempotency_key: str
    payment: Payment


@dataclass(frozen=True, slots=True)
class DepositMade:
    """The posting, and the balance that it left; `replayed` if an earlier request made it."""

    posting_id: UUID
    balance_after_minor: int
    posted_at: datetime
    replayed: bool


class DepositDeclined(Exception):
    """Nothing was paid in. `code` is stable; `field` is at fault."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"deposit declined: {code}")
        self.code = code
        self.field = field


_CURRENCY_MISMATCH = (DeclineCode.CURRENCY_MISMATCH.value, "currency")
# The ledger's codes speak of debtor and creditor; who deposits knows one account only.
_TOLD: Mapping[DeclineCode, tuple[str, str]] = {
    DeclineCode.CREDITOR_FROZEN: ("account_frozen", "account"),
    DeclineCode.CREDITOR_CLOSED: ("account_closed", "account"),
    DeclineCode.CURRENCY_MISMATCH: _CURRENCY_MISMATCH,
    DeclineCode.BALANCE_LIMIT_EXCEEDED: ("balance_limit_exceeded", "amount_minor"),
}


async def deposit(
    connection: AsyncConnection, command: Deposit, *, clock: Clock, new_id: Callable[[], UUID]
) -> DepositMade:
    """Pay in once under the key. Raises AccountNotFound, SystemAccountIsFixed, DepositDeclined and
    IdempotencyKeyReused, having moved nothing."""
    payment = command.payment
    request = KeyedRequest(command.client_id, command.idempotency_key, "deposit", asdict(payment))
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        return DepositMade(
            UUID(earlier["posting_id"]),
            earlier["balance_after_minor"],
            datetime.fromisoformat(earlier["posted_at"]),
            replayed=True,
        )
    record = await read_account(connection, command.client_id, payment.account)
    _refuse_early(record.account, payment)
    await ensure_system_accounts(
        connection, command.client_id, SystemPurpose.SETTLEMENT, [payment.currency], at=clock.now()
    )
    [outcome] = await post_batch(
        connection, [_posting(command.client_id, payment)], clock=clock, new_id=new_id
    )
    if isinstance(outcome, Declined):
        raise DepositDeclined(*_TOLD[outcome.code])
    # Held since the posting, so this is the balance that it left.
    [account] = await lock_accounts(connection, [(command.client_id, payment.account)])
    answer = {
        "posting_id": str(outcome.posting_id),
        "balance_after_minor": account.posted_minor,
        "posted_at": outcome.posted_at.isoformat(),
    }
    await remember(connection, request, answer, at=outcome.posted_at)
    return DepositMade(outcome.posting_id, account.posted_minor, outcome.posted_at, replayed=False)


def _refuse_early(account: Account, payment: Payment) -> None:
    """What never changes is told before a settlement account is opened for nothing."""
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    if account.state is AccountState.CLOSED:
        raise DepositDeclined(*_TOLD[DeclineCode.CREDITOR_CLOSED])
    if account.currency != payment.currency:
        raise DepositDeclined(*_CURRENCY_MISMATCH)


def _posting(client_id: str, payment: Payment) -> PostingRequest:
    return PostingRequest(
        kind=PostingKind.DEPOSIT,
        client_id=client_id,
        debtor=system_reference(SystemPurpose.SETTLEMENT, payment.currency),
        creditor=payment.account,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        reference=payment.reference,
        description=payment.description,
    )
