"""Open a customer's account in a currency: one of each, by the opening that every account goes through."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service_kit.audit import Origin
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import CustomerNotFound
from account_service.domain.kyc import KycLevel
from account_service.domain.naming import wallet_reference
from account_service.domain.opening import OpeningRefused, OpeningTerms, account_exists
from account_service.operations.customer_notices import tell_account
from account_service.operations.open_accounts import open_accounts
from account_service.persistence.customer_accounts import link_account, load_wallets, save_level
from account_service.persistence.customers import count_version, lock_customer


@dataclass(frozen=True, slots=True)
class OpenWallet:
    """The command."""

    client_id: str
    customer_id: UUID
    currency: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Wallet:
    """The account's reference; `replayed` if it was open before."""

    account: str
    replayed: bool


async def open_wallet(
    connection: AsyncConnection,
    command: OpenWallet,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Wallet:
    """Open the account, or say that it is open. Raises CustomerNotFound and OpeningRefused."""
    # Locked, so that of two requests for one currency the second finds what the first has opened.
    sealed = await lock_customer(connection, vault, command.client_id, command.customer_id)
    if sealed is None:
        raise CustomerNotFound
    wallets = (await load_wallets(connection, [command.customer_id]))[command.customer_id]
    if command.currency in wallets:
        return Wallet(wallets[command.currency], replayed=True)
    level = sealed.customer.kyc.level
    account = await open_locked(connection, command, level, vault=vault, clock=clock, new_id=new_id)
    return Wallet(account, replayed=False)


async def open_locked(
    connection: AsyncConnection,
    command: OpenWallet,
    level: KycLevel,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> str:
    """Open the first account of this currency for a customer that the transaction holds; its reference."""
    terms = OpeningTerms(
        account=wallet_reference(command.customer_id, command.currency),
        holder=None,
        currency=command.currency,
        overdraft_minor=0,
        opening_balance_minor=0,
    )
    [outcome] = await open_accounts(
        connection, command.client_id, [terms], origin=command.origin, vault=vault, clock=clock, new_id=new_id
    )
    if isinstance(outcome, OpeningRefused):
        raise outcome
    if outcome.replayed:  # The client has used the wallet's reference for an account of its own.
        raise account_exists(("account",))
    await _join(connection, command, terms.account, outcome.opened_at)
    await save_level(connection, command.customer_id, level, at=outcome.opened_at)
    return terms.account


async def _join(connection: AsyncConnection, command: OpenWallet, account: str, at: datetime) -> None:
    await link_account(connection, command.customer_id, command.client_id, account, at=at)
    await tell_account(
        connection,
        customer_id=command.customer_id,
        client_id=command.client_id,
        account=account,
        currency=command.currency,
        version=await count_version(connection, command.customer_id),
        at=at,
    )
