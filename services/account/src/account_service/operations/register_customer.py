"""Register a customer, and open their first account with them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import Customer, Person
from account_service.domain.kyc import Kyc
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.customer_notices import tell_handles
from account_service.operations.open_wallet import OpenWallet, open_locked
from account_service.persistence.customers import insert_customer

_FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class RegisterCustomer:
    """The command; `currency` is that of the first account."""

    client_id: str
    idempotency_key: str
    person: Person
    currency: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Registration:
    """The customer as first registered, and the first account; `replayed` if an earlier request did it."""

    customer: Customer
    account: str
    replayed: bool


async def register_customer(
    connection: AsyncConnection,
    command: RegisterCustomer,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Registration:
    """Register once under the key. Raises HandleTaken, OpeningRefused and IdempotencyKeyReused."""
    fields = {**asdict(command.person), "currency": command.currency}
    request = KeyedRequest(
        command.client_id, command.idempotency_key, "register_customer", fields, vault.digest_key
    )
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        at = datetime.fromisoformat(earlier["registered_at"])
        customer = _customer(command, UUID(earlier["customer_id"]), at)
        return Registration(customer, earlier["account"], replayed=True)
    customer = _customer(command, new_id(), clock.now())
    await insert_customer(connection, vault, customer)
    await tell_handles(
        connection,
        vault,
        customer,
        customer.person,
        version=customer.version,
        at=customer.registered_at,
    )
    entry = Entry(
        action="customer.registered",
        subject_type="customer",
        subject=str(customer.id),
        after=asdict(command.person),
    )
    await record(connection, command.origin, entry, at=customer.registered_at)
    wallet = OpenWallet(command.client_id, customer.id, command.currency, command.origin)
    account = await open_locked(
        connection, wallet, customer.kyc.level, vault=vault, clock=clock, new_id=new_id
    )
    answer = {
        "customer_id": str(customer.id),
        "account": account,
        "registered_at": customer.registered_at.isoformat(),
    }
    await remember(connection, request, answer, at=clock.now())
    return Registration(customer, account, replayed=False)


def _customer(command: RegisterCustomer, customer_id: UUID, at: datetime) -> Customer:
    return Customer(
        id=customer_id,
        client_id=command.client_id,
        person=command.person,
        kyc=Kyc(),
        version=_FIRST_VERSION,
        registered_at=at,
        updated_at=at,
    )
