"""What an account is held to at this moment, and what it has used."""

from collections.abc import Sequence
from dataclasses import dataclass

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account
from account_service.domain.limits import AllowedAndUsed, LimitScope
from account_service.operations.read_accounts import read_account
from account_service.persistence import limit_sets, time_zones
from account_service.persistence.limit_sets import LimitChange, LimitSubject
from account_service.persistence.limit_usage import load_limits


@dataclass(frozen=True, slots=True)
class AccountLimitsView:
    """The account's own set, if it ever had one, and what holds with all others together."""

    account: Account
    time_zone: str
    kyc_level: str | None
    own: LimitChange | None
    effective: Sequence[AllowedAndUsed]


async def read_limits(
    connection: AsyncConnection, client_id: str, reference: str, *, clock: Clock
) -> AccountLimitsView:
    """The account's limits as of now; raises AccountNotFound."""
    account = (await read_account(connection, client_id, reference)).account
    subject = account_subject(account)
    own = await limit_sets.limits_in_force(connection, subject)
    standing = await load_limits(connection, [account.id], at=clock.now())
    place = await time_zones.place_of(connection, account.id)
    effective = [one for limits in standing for one in limits.standing()]
    return AccountLimitsView(account, place.time_zone, place.kyc_level, own[0] if own else None, effective)


def account_subject(account: Account) -> LimitSubject:
    """The account as one whose limits are set."""
    return LimitSubject(client_id=account.client_id, scope=LimitScope.ACCOUNT, account_id=account.id)
