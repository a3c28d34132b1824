"""Change how far below zero an account may go, with a reason and an author."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.operations.read_accounts import AccountNotFound
from account_service.persistence import accounts
from account_service.persistence.overdraft_changes import record_overdraft_change


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOverdraft:
    """The command; the author is who asks."""

    client_id: str
    account: str
    overdraft_minor: int
    reason: str
    origin: Origin


async def change_overdraft(connection: AsyncConnection, command: ChangeOverdraft, *, clock: Clock) -> None:
    """Set the overdraft. One that is so already stays as it is, so that a retry is safe.

    Raises AccountNotFound, SystemAccountIsFixed, AccountIsClosed, OverdraftInUse and OverdraftTooLarge.
    """
    # Under the lock that postings take: what is used of the overdraft cannot change meanwhile.
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    account = locked[0]
    if account.overdraft_minor == command.overdraft_minor:
        return
    at = clock.now()
    changed, change = account.change_overdraft(
        command.overdraft_minor, reason=command.reason, author=command.origin.actor, at=at
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
