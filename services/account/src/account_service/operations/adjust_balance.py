"""Correct an account's balance by hand, against the client's adjustment account, as two people decided."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.naming import SystemPurpose, system_reference
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.operations.movements import MoneyMoved, move_money
from account_service.operations.system_accounts import ensure_system_accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustBalance:
    """The command: add to the account (`credit`), or take from it. There is none without a proposal."""

    client_id: str
    account: str
    amount_minor: int
    currency: str
    credit: bool
    reason: str
    proposal_id: UUID


async def adjust_balance(
    connection: AsyncConnection, command: AdjustBalance, *, clock: Clock, new_id: Callable[[], UUID]
) -> MoneyMoved:
    """Post the adjustment; the account's state and balance must allow it. Raises MovementDeclined."""
    await ensure_system_accounts(
        connection, command.client_id, SystemPurpose.ADJUSTMENT, [command.currency], at=clock.now()
    )
    books = system_reference(SystemPurpose.ADJUSTMENT, command.currency)
    posting = PostingRequest(
        kind=PostingKind.ADJUSTMENT,
        client_id=command.client_id,
        debtor=books if command.credit else command.account,
        creditor=command.account if command.credit else books,
        amount_minor=command.amount_minor,
        currency=command.currency,
        # As much as a description may be; the whole reason stands with the proposal.
        description=command.reason[:280],
        proposal_id=command.proposal_id,
    )
    return await move_money(connection, posting, command.account, clock=clock, new_id=new_id)
