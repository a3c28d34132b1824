"""Customers: sealed as they are written, opened as they are read, found by their handles."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.handles import HandleKind, handle
from contracts.sealed import Place, WrappedKey
from service_kit.vault import DataKey, Vault
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import Customer, HandleTaken, Person
from account_service.domain.kyc import Kyc, KycLevel, KycState

TABLE = "customers"
PERSONAL = ("name", "mobile", "email")

_COLUMNS = """id, client_id, name, mobile, email, data_key, key_encryption_key, kyc_level, kyc_state,
    kyc_asked, version, registered_at, updated_at"""
_INSERT = text(
    """
    INSERT INTO customers (id, client_id, name, mobile, email, mobile_handle, email_handle, data_key,
        key_encryption_key, version, registered_at, updated_at)
    VALUES (:id, :client_id, :name, :mobile, :email, :mobile_handle, :email_handle, :data_key,
        :key_encryption_key, :version, :at, :at)
    """
)
_LOAD = f"SELECT {_COLUMNS} FROM customers WHERE client_id = :client_id AND "  # noqa: S608  constants
_BY_ID = text(f"{_LOAD} id = :id")
_LOCK = text(f"{_LOAD} id = :id FOR UPDATE")
_BY_HANDLE: Mapping[HandleKind, Any] = {
    "mobile": text(f"{_LOAD} mobile_handle = :handle"),
    "email": text(f"{_LOAD} email_handle = :handle"),
}
_LIST = text(f"{_LOAD} id > :after ORDER BY id LIMIT :limit")
_SAVE_PERSON = text(
    """
    UPDATE customers SET name = :name, mobile = :mobile, email = :email, mobile_handle = :mobile_handle,
        email_handle = :email_handle, updated_at = :at
    WHERE id = :id
    """
)
_SAVE_KYC = text(
    "UPDATE customers SET kyc_level = :level, kyc_state = :state, kyc_asked = :asked, updated_at = :at "
    "WHERE id = :id"
)
_COUNT_VERSION = text("UPDATE customers SET version = version + 1 WHERE id = :id RETURNING version")
_UNIQUE: Mapping[str, str] = {"customers_mobile_is_unique": "mobile", "customers_email_is_unique": "email"}


class SealedCustomer:
    """A customer with the key that opens and seals what is personal of them."""

    def __init__(self, customer: Customer, key: DataKey) -> None:
        self.customer = customer
        self.key = key


def handles_of(vault: Vault, client_id: str, person: Person) -> dict[HandleKind, str]:
    """The keyed hashes by which the client's customer is known."""
    return {
        "mobile": handle("mobile", client_id, person.mobile, vault.handle_key),
        "email": handle("email", client_id, person.email, vault.handle_key),
    }


async def insert_customer(connection: AsyncConnection, vault: Vault, customer: Customer) -> None:
    """Write a new customer under a new key; raises HandleTaken, after which nothing more can be done in this
    transaction. Waits for a concurrent one that registers the same number or address."""
    key, wrapped = vault.new_key(TABLE, str(customer.id))
    parameters = {
        "id": customer.id,
        "client_id": customer.client_id,
        "data_key": wrapped.wrapped,
        "key_encryption_key": wrapped.key_encryption_key,
        "version": customer.version,
        "at": customer.registered_at,
        **_personal(vault, customer, key),
    }
    await _write(connection, _INSERT, parameters)


async def save_person(
    connection: AsyncConnection, vault: Vault, sealed: SealedCustomer, person: Person, *, at: datetime
) -> None:
    """Write what has changed of a locked customer; raises HandleTaken as `insert_customer` does."""
    changed = Customer(
        id=sealed.customer.id,
        client_id=sealed.customer.client_id,
        person=person,
        kyc=sealed.customer.kyc,
        version=sealed.customer.version,
        registered_at=sealed.customer.registered_at,
        updated_at=at,
    )
    parameters = {"id": changed.id, "at": at, **_personal(vault, changed, sealed.key)}
    await _write(connection, _SAVE_PERSON, parameters)


async def save_kyc(connection: AsyncConnection, customer_id: UUID, kyc: Kyc, *, at: datetime) -> None:
    """Write where the workflow of a locked customer stands."""
    parameters = {
        "id": customer_id,
        "level": kyc.level.value,
        "state": kyc.state.value,
        "asked": None if kyc.asked is None else kyc.asked.value,
        "at": at,
    }
    await connection.execute(_SAVE_KYC, parameters)


async def count_version(connection: AsyncConnection, customer_id: UUID) -> int:
    """The number of the next thing that others are told of a locked customer."""
    return int((await connection.execute(_COUNT_VERSION, {"id": customer_id})).scalar_one())


async def load_customer(
    connection: AsyncConnection, vault: Vault, client_id: str, customer_id: UUID
) -> Customer | None:
    """The client's customer of that id, if there is one."""
    parameters = {"client_id": client_id, "id": customer_id}
    row = (await connection.execute(_BY_ID, parameters)).one_or_none()
    return None if row is None else _opened(vault, row).customer


async def lock_customer(
    connection: AsyncConnection, vault: Vault, client_id: str, customer_id: UUID
) -> SealedCustomer | None:
    """The same, locked until the transaction ends; to be called before any account is locked."""
    parameters = {"client_id": client_id, "id": customer_id}
    row = (await connection.execute(_LOCK, parameters)).one_or_none()
    return None if row is None else _opened(vault, row)


async def load_key(
    connection: AsyncConnection, vault: Vault, client_id: str, customer_id: UUID
) -> DataKey | None:
    """The key that opens what is kept of the client's customer."""
    parameters = {"client_id": client_id, "id": customer_id}
    row = (await connection.execute(_BY_ID, parameters)).one_or_none()
    return None if row is None else _opened(vault, row).key


async def find_by_handle(
    connection: AsyncConnection, vault: Vault, client_id: str, kind: HandleKind, canonical: str
) -> Customer | None:
    """The client's customer with this mobile number or e-mail address."""
    wanted = handle(kind, client_id, canonical, vault.handle_key)
    parameters = {"client_id": client_id, "handle": wanted}
    row = (await connection.execute(_BY_HANDLE[kind], parameters)).one_or_none()
    return None if row is None else _opened(vault, row).customer


async def list_customers(
    connection: AsyncConnection, vault: Vault, client_id: str, *, after: UUID, limit: int
) -> list[Customer]:
    """The client's customers with an id above `after`, in the order in which they were registered."""
    parameters = {"client_id": client_id, "after": after, "limit": limit}
    return [_opened(vault, row).customer for row in await connection.execute(_LIST, parameters)]


async def _write(connection: AsyncConnection, statement: Any, parameters: Mapping[str, Any]) -> None:
    try:
        await connection.execute(statement, parameters)
    except IntegrityError as error:
        field = _UNIQUE.get(getattr(getattr(error.orig, "__cause__", None), "constraint_name", ""))
        if field is None:
            raise
        raise HandleTaken(field) from None


def _personal(vault: Vault, customer: Customer, key: DataKey) -> dict[str, Any]:
    handles = handles_of(vault, customer.client_id, customer.person)
    row = str(customer.id)
    sealed = {
        column: key.seal(getattr(customer.person, column), Place(TABLE, column, row)) for column in PERSONAL
    }
    return {**sealed, "mobile_handle": handles["mobile"], "email_handle": handles["email"]}


def _opened(vault: Vault, row: Row[Any]) -> SealedCustomer:
    own = str(row.id)
    key = vault.key(WrappedKey(row.key_encryption_key, row.data_key), TABLE, own)
    known = {column: key.open(getattr(row, column), Place(TABLE, column, own)) for column in PERSONAL}
    asked = None if row.kyc_asked is None else KycLevel(row.kyc_asked)
    customer = Customer(
        id=row.id,
        client_id=row.client_id,
        person=Person(**known),
        kyc=Kyc(KycLevel(row.kyc_level), KycState(row.kyc_state), asked),
        version=row.version,
        registered_at=row.registered_at,
        updated_at=row.updated_at,
    )
    return SealedCustomer(customer, key)
