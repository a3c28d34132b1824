"""What an approved proposal does: one way for each kind. What it changes names the proposal, and its maker as
the author; who approved it stands with the proposal's end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service_kit.audit import Origin
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from service_kit.proposals.proposal import NothingToChange, Proposal
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import (
    NEXT,
    Account,
    AccountIsClosed,
    AccountKind,
    AccountState,
    IllegalStateChange,
    SystemAccountIsFixed,
)
from account_service.domain.limits import Limit, LimitSet
from account_service.domain.posting import PostingKind
from account_service.operations.adjust_balance import AdjustBalance, adjust_balance
from account_service.operations.change_overdraft import ChangeOverdraft, change_overdraft
from account_service.operations.change_state import ChangeState, change_state
from account_service.operations.movements import CURRENCY_MISMATCH, MovementDeclined
from account_service.operations.read_accounts import read_account
from account_service.operations.set_limits import SetAccountLimits, SetLimits, set_account_limits, set_limits

ADJUSTMENT, UNFREEZING = "adjustment", "unfreezing"
LIMIT_CHANGE, OVERDRAFT_CHANGE = "limit-change", "overdraft-change"
_COUNTS = frozenset({Limit.DAILY_COUNT, Limit.MONTHLY_COUNT})


async def check_proposal(connection: AsyncConnection, proposal: Proposal) -> None:
    """Raise now what no approval could get past: AccountNotFound, SystemAccountIsFixed, AccountIsClosed,
    IllegalStateChange, NothingToChange and MovementDeclined."""
    if "account" not in proposal.terms:
        return  # limits of many accounts
    account = (await read_account(connection, proposal.client_id, proposal.terms["account"])).account
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    if account.state is AccountState.CLOSED:
        raise AccountIsClosed(account.reference)
    if proposal.kind == ADJUSTMENT and account.currency != proposal.terms["currency"]:
        raise MovementDeclined(PostingKind.ADJUSTMENT, *CURRENCY_MISMATCH)
    if proposal.kind == UNFREEZING:
        _check_unfreezing(account, AccountState(proposal.terms["state"]))
    if proposal.kind == OVERDRAFT_CHANGE and account.overdraft_minor == proposal.terms["overdraft_minor"]:
        raise NothingToChange


def _check_unfreezing(account: Account, wanted: AccountState) -> None:
    if account.state is wanted:
        raise NothingToChange
    if wanted not in NEXT[account.state]:
        raise IllegalStateChange(current=account.state, wanted=wanted)


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Carries an approved proposal out in the approval's transaction and tells what came of it; `origin` is
    whose approval it is.

    Raises what the operation behind its kind declines with, and NothingToChange.
    """

    clock: Clock
    new_id: IdFactory
    origin: Origin

    async def __call__(self, connection: AsyncConnection, proposal: Proposal) -> Mapping[str, Any]:
        """Do it."""
        return await _WAYS[proposal.kind](self, connection, proposal)

    async def adjust(self, connection: AsyncConnection, proposal: Proposal) -> Mapping[str, Any]:
        """Move the money."""
        terms = proposal.terms
        command = AdjustBalance(
            client_id=proposal.client_id,
            account=terms["account"],
            amount_minor=terms["amount_minor"],
            currency=terms["currency"],
            credit=terms["direction"] == "credit",
            reason=proposal.reason,
            proposal_id=proposal.id,
        )
        moved = await adjust_balance(connection, command, clock=self.clock, new_id=self.new_id)
        return moved.answer()

    async def unfreeze(self, connection: AsyncConnection, proposal: Proposal) -> Mapping[str, Any]:
        """Change the account's state."""
        command = ChangeState(
            client_id=proposal.client_id,
            account=proposal.terms["account"],
            state=AccountState(proposal.terms["state"]),
            reason=proposal.reason,
            origin=self.origin,
            proposal=proposal,
        )
        if not await change_state(connection, command, clock=self.clock):
            raise NothingToChange
        return {}

    async def change_overdraft(self, connection: AsyncConnection, proposal: Proposal) -> Mapping[str, Any]:
        """Change the account's overdraft."""
        command = ChangeOverdraft(
            client_id=proposal.client_id,
            account=proposal.terms["account"],
            overdraft_minor=proposal.terms["overdraft_minor"],
            reason=proposal.reason,
            origin=self.origin,
            proposal=proposal,
        )
        if not await change_overdraft(connection, command, clock=self.clock):
            raise NothingToChange
        return {}

    async def change_limits(self, connection: AsyncConnection, proposal: Proposal) -> Mapping[str, Any]:
        """Put the set of limits in force."""
        terms = proposal.terms
        told: dict[str, Any] = {
            "client_id": proposal.client_id,
            "limits": limits_of(terms),
            "reason": proposal.reason,
            "origin": self.origin,
            "proposal": proposal,
        }
        if "account" in terms:
            of_account = SetAccountLimits(account=terms["account"], **told)
            in_force = await set_account_limits(connection, of_account, clock=self.clock)
        else:
            of_many = SetLimits(currency=terms["currency"], kyc_level=terms.get("kyc_level"), **told)
            in_force = await set_limits(connection, of_many, clock=self.clock)
        if in_force.proposal_id != proposal.id:
            raise NothingToChange
        return {}


def limits_of(terms: Mapping[str, Any]) -> LimitSet:
    """The set that the terms of a change of limits name, as the API names its figures."""
    names = {limit.value: limit.value if limit in _COUNTS else f"{limit}_minor" for limit in Limit}
    return LimitSet(**{figure: terms.get(name) for figure, name in names.items()})


_WAYS: Mapping[str, Callable[[CarryOut, AsyncConnection, Proposal], Awaitable[Mapping[str, Any]]]] = {
    ADJUSTMENT: CarryOut.adjust,
    UNFREEZING: CarryOut.unfreeze,
    LIMIT_CHANGE: CarryOut.change_limits,
    OVERDRAFT_CHANGE: CarryOut.change_overdraft,
}
