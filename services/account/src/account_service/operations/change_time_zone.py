"""Move an account to another time zone, and so the days and months of its limits."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind, SystemAccountIsFixed
from account_service.operations.read_accounts import AccountNotFound
from account_service.persistence import accounts, time_zones


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTimeZone:
    """The command; `time_zone` is one of the time zone database's."""

    client_id: str
    account: str
    time_zone: str
    reason: str
    origin: Origin


async def change_time_zone(connection: AsyncConnection, command: ChangeTimeZone, *, clock: Clock) -> None:
    """Bring the account into the time zone; one that is in it already stays as it is.

    Raises AccountNotFound and SystemAccountIsFixed.
    """
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    [account] = locked
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    previous = (await time_zones.place_of(connection, account.id)).time_zone
    if previous == command.time_zone:
        return
    at = clock.now()
    await time_zones.save_time_zone(
        connection,
        account.id,
        previous=previous,
        time_zone=command.time_zone,
        reason=command.reason,
        author=command.origin.actor,
        at=at,
    )
    entry = Entry(
        action="account.time-zone-changed",
        subject_type="account",
        subject=command.account,
        before={"time_zone": previous},
        after={"time_zone": command.time_zone},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=at)
