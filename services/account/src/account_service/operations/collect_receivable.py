"""Collect what an account owes for reversals that the receivable account paid in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind, SystemAccountIsFixed
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.reversals import debt_after
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.movements import MoneyMoved, move_money
from account_service.operations.read_accounts import read_account
from account_service.persistence.accounts import lock_accounts
from account_service.persistence.debts import load_owed_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReceivable:
    """The command; the amount is in the account's currency."""

    client_id: str
    idempotency_key: str
    account: str
    amount_minor: int
    reason: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Collected:
    """What was paid back, and what is still owed."""

    moved: MoneyMoved
    currency: str
    owed_after_minor: int


async def collect_receivable(
    connection: AsyncConnection, command: CollectReceivable, *, clock: Clock, new_id: Callable[[], UUID]
) -> Collected:
    """Move it from the account to the receivable account, once under the key. Raises AccountNotFound,
    SystemAccountIsFixed, CollectionExceedsDebt, MovementDeclined and IdempotencyKeyReused, having moved
    nothing."""
    request = _request(command)
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        return _told_before(earlier)
    account = (await read_account(connection, command.client_id, command.account)).account
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    receivable = system_reference(SystemPurpose.RECEIVABLE, account.currency)
    # What is owed must not change between the look and the posting.
    keys = [(command.client_id, reference) for reference in (command.account, receivable)]
    locked = {one.reference: one.id for one in await lock_accounts(connection, keys)}
    owed_minor = 0
    if receivable in locked:
        owed_minor = await load_owed_minor(connection, account.id, receivable_id=locked[receivable])
    owed_after_minor = debt_after(command.amount_minor, owed_minor=owed_minor)
    posting = PostingRequest(
        kind=PostingKind.COLLECTION,
        client_id=command.client_id,
        debtor=command.account,
        creditor=receivable,
        amount_minor=command.amount_minor,
        currency=account.currency,
        description=command.reason,
    )
    moved = await move_money(connection, posting, command.account, clock=clock, new_id=new_id)
    answer = {"currency": account.currency, "owed_after_minor": owed_after_minor}
    await remember(connection, request, moved.answer() | answer, at=moved.posted_at)
    entry = Entry(
        action="receivable.collected",
        subject_type="account",
        subject=command.account,
        after={
            "posting_id": moved.posting_id,
            "amount_minor": command.amount_minor,
            "currency": account.currency,
        },
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=moved.posted_at)
    return Collected(moved, account.currency, owed_after_minor)


def _request(command: CollectReceivable) -> KeyedRequest:
    fields = {"account": command.account, "amount_minor": command.amount_minor, "reason": command.reason}
    return KeyedRequest(command.client_id, command.idempotency_key, PostingKind.COLLECTION.value, fields)


def _told_before(answer: Mapping[str, Any]) -> Collected:
    return Collected(MoneyMoved.told_before(answer), answer["currency"], answer["owed_after_minor"])
