"""Bring an account into another state, with a reason and an author."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountState
from account_service.operations.read_accounts import AccountNotFound
from account_service.persistence import accounts
from account_service.persistence.holds import has_open_holds
from account_service.persistence.state_changes import record_state_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeState:
    """The command; the author is who asks."""

    client_id: str
    account: str
    state: AccountState
    reason: str
    origin: Origin


async def change_state(connection: AsyncConnection, command: ChangeState, *, clock: Clock) -> None:
    """Bring the account into the state. One that is in it already stays as it is, so that a retry is safe.

    Raises AccountNotFound, SystemAccountIsFixed, IllegalStateChange and AccountNotEmpty.
    """
    # Under the lock that postings take: none is in flight while the account closes.
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    account = locked[0]
    if account.state is command.state:
        return
    at = clock.now()
    changed, change = account.change_state(
        command.state,
        open_holds=await has_open_holds(connection, account.id),
        reason=command.reason,
        author=command.origin.actor,
        at=at,
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
