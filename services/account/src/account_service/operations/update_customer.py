"""Change what is known of a customer: name, mobile number, e-mail address."""

from dataclasses import asdict, dataclass
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import CustomerNotFound
from account_service.operations.customer_notices import tell_handles
from account_service.persistence.customers import count_version, lock_customer, save_person


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer:
    """The command; None leaves a field as it is. `mobile` and `email` are canonical."""

    client_id: str
    customer_id: UUID
    name: str | None
    mobile: str | None
    email: str | None
    origin: Origin


async def update_customer(
    connection: AsyncConnection, command: UpdateCustomer, *, vault: Vault, clock: Clock
) -> None:
    """Make it so; what is so already stays, so that a retry is safe. Raises CustomerNotFound, HandleTaken."""
    sealed = await lock_customer(connection, vault, command.client_id, command.customer_id)
    if sealed is None:
        raise CustomerNotFound
    customer = sealed.customer
    person = customer.person.updated(name=command.name, mobile=command.mobile, email=command.email)
    differing = person.differing(customer.person)
    if not differing:
        return
    at = clock.now()
    await save_person(connection, vault, sealed, person, at=at)
    if differing != ("name",):
        version = await count_version(connection, customer.id)
        await tell_handles(connection, vault, customer, person, version=version, at=at)
    entry = Entry(
        action="customer.changed",
        subject_type="customer",
        subject=str(customer.id),
        before=asdict(customer.person),
        after=asdict(person),
    )
    await record(connection, command.origin, entry, at=at)
