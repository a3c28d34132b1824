"""Change how far below zero an account may go, with a reason and an author."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.proposals.proposal import ApprovalRequired, Proposal, author_of, id_of
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.operations.read_accounts import AccountNotFound
from account_service.persistence import accounts
from account_service.persistence.overdraft_changes import record_overdraft_change


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOverdraft:
    """The command; the author is who asks, or who proposed it. With `only_tighten` no more may be drawn than
    before."""

    client_id: str
    account: str
    overdraft_minor: int
    reason: str
    origin: Origin
    only_tighten: bool = False
    proposal: Proposal | None = None


async def change_overdraft(connection: AsyncConnection, command: ChangeOverdraft, *, clock: Clock) -> bool:
    """Set the overdraft; False if it is so already, so that a retry is safe.

    Raises AccountNotFound, SystemAccountIsFixed, AccountIsClosed, OverdraftInUse, OverdraftTooLarge and
    ApprovalRequired.
    """
    # Under the lock that postings take: what is used of the overdraft cannot change meanwhile.
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    account = locked[0]
    if account.overdraft_minor == command.overdraft_minor:
        return False
    if command.only_tighten and command.overdraft_minor > (account.overdraft_minor or 0):
        raise ApprovalRequired("overdraft-change")
    at = clock.now()
    changed, change = account.change_overdraft(
        command.overdraft_minor,
        reason=command.reason,
        author=author_of(command.origin, command.proposal),
        at=at,
        proposal_id=id_of(command.proposal),
    )
    await accounts.save_overdraft(connection, changed, at=at)
    await record_overdraft_change(connection, change)
    entry = Entry(
        action="account.overdraft-changed",
        subject_type="account",
        subject=command.account,
        before={"overdraft_minor": account.overdraft_minor},
        after={"overdraft_minor": command.overdraft_minor},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=at)
    return True
