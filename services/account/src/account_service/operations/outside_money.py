"""Pay money in from outside, or out to it: a posting between an account and a settlement account."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account, AccountKind, AccountState, SystemAccountIsFixed
from account_service.domain.hold import Conditions
from account_service.domain.naming import SystemPurpose, settlement_reference
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.movements import (
    CLOSED,
    CURRENCY_MISMATCH,
    MoneyMoved,
    MovementDeclined,
    move_money,
)
from account_service.operations.read_accounts import read_account
from account_service.operations.system_accounts import ensure_system_accounts
from account_service.persistence.accounts import present


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is paid in or out, and on which account; `settlement` names where outside, None the ordinary."""

    account: str
    amount_minor: int
    currency: str
    reference: str | None
    description: str | None
    settlement: str | None = None
    conditions: Conditions | None = None

    def as_sent(self) -> dict[str, Any]:
        """The fields by which the key knows the request again."""
        fields = asdict(self)
        # Keys were used before there was a settlement account to name or a condition to make, and are known
        # for ever.
        for later in ("settlement", "conditions"):
            if fields[later] is None:
                del fields[later]
        return fields


@dataclass(frozen=True, slots=True)
class MoveOutsideMoney:
    """The command: a deposit or a withdrawal."""

    kind: PostingKind
    client_id: str
    idempotency_key: str
    payment: Payment
    origin: Origin

    def __post_init__(self) -> None:
        assert self.kind in {PostingKind.DEPOSIT, PostingKind.WITHDRAWAL}, "no other kind crosses the border"


class SettlementAccountUnknown(Exception):
    """The client has no settlement account of that name in the currency."""

    def __init__(self, name: str, currency: str) -> None:
        super().__init__(f"there is no settlement account {name} in {currency}")
        self.name = name
        self.currency = currency


async def move_outside_money(
    connection: AsyncConnection, command: MoveOutsideMoney, *, clock: Clock, new_id: Callable[[], UUID]
) -> MoneyMoved:
    """Pay in or out once under the key. Raises AccountNotFound, SystemAccountIsFixed, MovementDeclined,
    SettlementAccountUnknown and IdempotencyKeyReused, having moved nothing."""
    payment = command.payment
    request = KeyedRequest(command.client_id, command.idempotency_key, command.kind.value, payment.as_sent())
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        return MoneyMoved.told_before(earlier)
    found = await read_account(connection, command.client_id, payment.account)
    _refuse_early(found.account, command)
    await _have_settlement_account(connection, command, at=clock.now())
    moved = await move_money(connection, _posting(command), payment.account, clock=clock, new_id=new_id)
    await remember(connection, request, moved.answer(), at=moved.posted_at)
    await record(connection, command.origin, _entry(command, moved), at=moved.posted_at)
    return moved


def _entry(command: MoveOutsideMoney, moved: MoneyMoved) -> Entry:
    payment = command.payment
    return Entry(
        action="deposit.made" if command.kind is PostingKind.DEPOSIT else "withdrawal.made",
        subject_type="account",
        subject=payment.account,
        after={
            "posting_id": moved.posting_id,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "settlement": payment.settlement,
        },
    )


def _refuse_early(account: Account, command: MoveOutsideMoney) -> None:
    """What never changes is told before a settlement account is opened for nothing."""
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    if account.state is AccountState.CLOSED:
        raise MovementDeclined(command.kind, *CLOSED)
    if account.currency != command.payment.currency:
        raise MovementDeclined(command.kind, *CURRENCY_MISMATCH)


async def _have_settlement_account(
    connection: AsyncConnection, command: MoveOutsideMoney, *, at: datetime
) -> None:
    name, currency = command.payment.settlement, command.payment.currency
    if name is None:
        await ensure_system_accounts(
            connection, command.client_id, SystemPurpose.SETTLEMENT, [currency], at=at
        )
    elif not await present(connection, [(command.client_id, settlement_reference(name, currency))]):
        # Opened by an operator alone: a misspelt name must not become one more place for money.
        raise SettlementAccountUnknown(name, currency)


def _posting(command: MoveOutsideMoney) -> PostingRequest:
    payment = command.payment
    outside = settlement_reference(payment.settlement, payment.currency)
    pays_in = command.kind is PostingKind.DEPOSIT
    return PostingRequest(
        kind=command.kind,
        client_id=command.client_id,
        debtor=outside if pays_in else payment.account,
        creditor=payment.account if pays_in else outside,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        reference=payment.reference,
        description=payment.description,
        conditions=payment.conditions,
    )
