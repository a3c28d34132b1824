"""The books' own accounts, opened per client and currency when first needed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind, AccountState, StateChange
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.persistence import accounts
from account_service.persistence.accounts import NewAccount
from account_service.persistence.state_changes import record_state_changes

_AUTHOR = "florin"


async def ensure_system_accounts(
    connection: AsyncConnection,
    client_id: str,
    purpose: SystemPurpose,
    currencies: Iterable[str],
    *,
    at: datetime,
) -> None:
    """Open those of the client's system accounts that are missing. Safe against others who do the same.

    To be called before any account is locked: it may wait for another transaction that opens the same one.
    """
    wanted = {(client_id, system_reference(purpose, currency)): currency for currency in currencies}
    # Looked at first: an insert that finds its row taken still uses up an id, on every deposit.
    missing = wanted.keys() - await accounts.present(connection, wanted) if wanted else set()
    if not missing:
        return
    opened = await accounts.insert_accounts(
        connection, [_system_account(key, wanted[key], purpose) for key in missing], at=at
    )
    await record_state_changes(connection, opening_changes(opened.values(), _AUTHOR, at))


def opening_changes(account_ids: Iterable[int], author: str, at: datetime) -> Sequence[StateChange]:
    """The beginning of each new account's history."""
    return [StateChange(id_, None, AccountState.ACTIVE, "opened", author, at) for id_ in account_ids]


def _system_account(key: tuple[str, str], currency: str, purpose: SystemPurpose) -> NewAccount:
    return NewAccount(
        client_id=key[0],
        reference=key[1],
        holder=f"Florin {purpose.value}",
        currency=currency,
        kind=AccountKind.SYSTEM,
        overdraft_minor=None,
    )
