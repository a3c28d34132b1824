"""Find a client's customer; what belongs to another client is not there."""

from uuid import UUID

from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountRecord
from account_service.domain.customer import Customer, CustomerNotFound
from account_service.operations.read_accounts import read_account
from account_service.persistence.customer_accounts import load_wallets
from account_service.persistence.customers import load_customer


async def read_customer(
    connection: AsyncConnection, vault: Vault, client_id: str, customer_id: UUID
) -> Customer:
    """The customer as registered; raises CustomerNotFound."""
    customer = await load_customer(connection, vault, client_id, customer_id)
    if customer is None:
        raise CustomerNotFound
    return customer


async def read_customer_accounts(
    connection: AsyncConnection, vault: Vault, client_id: str, customer_id: UUID
) -> list[AccountRecord]:
    """The customer's accounts, one a currency, as they were opened; raises CustomerNotFound."""
    await read_customer(connection, vault, client_id, customer_id)
    wallets = (await load_wallets(connection, [customer_id]))[customer_id]
    return [await read_account(connection, client_id, reference) for reference in wallets.values()]
