"""Bring an account into another state, with a reason and an author."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.proposals.proposal import ApprovalRequired, Proposal, author_of, id_of
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountState, loosens
from account_service.operations.read_accounts import AccountNotFound
from account_service.persistence import accounts
from account_service.persistence.holds import has_open_holds
from account_service.persistence.state_changes import record_state_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeState:
    """The command; the author is who asks, or who proposed it. With `only_tighten` nothing is let through
    that was not before."""

    client_id: str
    account: str
    state: AccountState
    reason: str
    origin: Origin
    only_tighten: bool = False
    proposal: Proposal | None = None


async def change_state(connection: AsyncConnection, command: ChangeState, *, clock: Clock) -> bool:
    """Bring the account into the state; False if it is in it already, so that a retry is safe.

    Raises AccountNotFound, SystemAccountIsFixed, IllegalStateChange, AccountNotEmpty and ApprovalRequired.
    """
    # Under the lock that postings take: none is in flight while the account closes.
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    account = locked[0]
    if account.state is command.state:
        return False
    if command.only_tighten and loosens(account.state, command.state):
        raise ApprovalRequired("unfreezing")
    at = clock.now()
    changed, change = account.change_state(
        command.state,
        open_holds=await has_open_holds(connection, account.id),
        reason=command.reason,
        author=author_of(command.origin, command.proposal),
        at=at,
        proposal_id=id_of(command.proposal),
    )
    await accounts.save_state(connection, changed, at=at)
    await record_state_changes(connection, [change])
    entry = Entry(
        action="account.state-changed",
        subject_type="account",
        subject=command.account,
        before={"state": account.state},
        after={"state": changed.state},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=at)
    return True
