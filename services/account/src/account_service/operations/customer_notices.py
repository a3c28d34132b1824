"""What other services are told of a customer: keyed hashes and account references, nothing personal."""

from datetime import datetime
from uuid import UUID

from contracts.messages import CustomerAccountOpened, CustomerRegistered
from messaging import outbox
from messaging.event import new_event
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import Customer, Person
from account_service.persistence.customers import handles_of


async def tell_handles(
    connection: AsyncConnection,
    vault: Vault,
    customer: Customer,
    person: Person,
    *,
    version: int,
    at: datetime,
) -> None:
    """The customer can be paid under these handles from now on, and under no others."""
    data = CustomerRegistered(
        customer_id=customer.id,
        client_id=customer.client_id,
        handles=list(handles_of(vault, customer.client_id, person).values()),
        version=version,
    )
    await outbox.add(connection, [new_event(data, subject=str(customer.id), sequence=version, at=at)])


async def tell_account(
    connection: AsyncConnection,
    *,
    customer_id: UUID,
    client_id: str,
    account: str,
    currency: str,
    version: int,
    at: datetime,
) -> None:
    """The customer can be paid in this currency from now on."""
    data = CustomerAccountOpened(
        customer_id=customer_id, client_id=client_id, account=account, currency=currency
    )
    await outbox.add(connection, [new_event(data, subject=str(customer_id), sequence=version, at=at)])
