"""Keep the directory of parties as the account service tells it."""

from collections.abc import Sequence
from datetime import datetime

from contracts.messages import CustomerAccountOpened, CustomerRegistered
from messaging.event import Event
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.persistence import parties
from transaction_service.persistence.parties import PartyAccount, Registration


async def record_registrations(
    connection: AsyncConnection, told: Sequence[Event[CustomerRegistered]], *, at: datetime
) -> None:
    """Customers can be paid under these handles from now on, and no longer under earlier ones."""
    del at
    registrations = [
        Registration(event.data.client_id, event.data.customer_id, event.data.handles, event.data.version)
        for event in told
    ]
    await parties.save_registrations(connection, registrations)


async def record_accounts(
    connection: AsyncConnection, told: Sequence[Event[CustomerAccountOpened]], *, at: datetime
) -> None:
    """Customers can be paid in these currencies from now on."""
    del at
    accounts = [
        PartyAccount(
            client_id=event.data.client_id,
            customer_id=event.data.customer_id,
            currency=event.data.currency,
            account=event.data.account,
            opened_at=event.occurred_at,
        )
        for event in told
    ]
    await parties.save_accounts(connection, accounts)
