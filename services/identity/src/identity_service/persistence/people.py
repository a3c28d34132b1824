"""People: sealed as they are written, opened as they are read, found by the keyed hash of their address."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.handles import handle
from contracts.sealed import Place, WrappedKey
from service_kit.vault import DataKey, Vault
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.person import EmailTaken, Person, PersonState, Profile

TABLE = "people"
_COLUMNS = """id, client_id, name, email, data_key, key_encryption_key, roles, state, sessions_since,
    registered_at, updated_at"""
_INSERT = text(
    """
    INSERT INTO people (id, client_id, name, email, email_handle, data_key, key_encryption_key, roles, state,
        sessions_since, registered_at, updated_at)
    VALUES (:id, :client_id, :name, :email, :email_handle, :data_key, :key_encryption_key, :roles, :state,
        :sessions_since, :registered_at, :updated_at)
    """
)
_SAVE = text(
    """
    UPDATE people
    SET roles = :roles, state = :state, sessions_since = :sessions_since, updated_at = :updated_at
    WHERE id = :id
    """
)
# Without a client every client's people are meant.
_REACHED = f"SELECT {_COLUMNS} FROM people WHERE (cast(:client AS text) IS NULL OR client_id = :client) AND "  # noqa: S608
_BY_ID = text(f"{_REACHED} id = :id")
_LOCK = text(f"{_REACHED} id = :id FOR UPDATE")
_LIST = text(f"{_REACHED} id > :after ORDER BY id LIMIT :limit")
_BY_LOGIN = text(f"SELECT {_COLUMNS} FROM people WHERE client_id = :client AND email_handle = :login")  # noqa: S608
_LABEL = b"florin.people.v1"


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """A person with the key that opens and seals what is secret of them."""

    person: Person
    key: DataKey


class Directory:
    """What finds and opens people: their vault, and the key under which logins and codes are hashed."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        # Derived, so that what other services know a person by leads nobody here.
        self.login_key = hmac.digest(vault.handle_key, _LABEL, hashlib.sha256)

    def login(self, client_id: str, email: str) -> str:
        """The keyed hash of a canonical address: what attempts to sign in are counted and noted by."""
        return handle("email", client_id, email, self.login_key)


async def insert_person(connection: AsyncConnection, directory: Directory, person: Person) -> SealedPerson:
    """Write a new person under a new key; raises EmailTaken, after which this transaction is spent."""
    key, wrapped = directory.vault.new_key(TABLE, str(person.id))
    parameters = {
        **_row(person),
        "client_id": person.client_id,
        "registered_at": person.registered_at,
        "name": key.seal(person.profile.name, _place(person.id, "name")),
        "email": key.seal(person.profile.email, _place(person.id, "email")),
        "email_handle": directory.login(person.client_id, person.profile.email),
        "data_key": wrapped.wrapped,
        "key_encryption_key": wrapped.key_encryption_key,
    }
    try:
        await connection.execute(_INSERT, parameters)
    except IntegrityError as error:
        if "people_email_is_unique" not in str(error.orig):
            raise
        raise EmailTaken from None
    return SealedPerson(person, key)


async def save_person(connection: AsyncConnection, person: Person) -> None:
    """Write roles and standing of a locked person."""
    await connection.execute(_SAVE, _row(person))


async def load_person(
    connection: AsyncConnection, directory: Directory, person_id: UUID, *, client: str | None = None
) -> SealedPerson | None:
    """The person of this id, if there is one within reach of `client`; None reaches all."""
    row = (await connection.execute(_BY_ID, {"client": client, "id": person_id})).one_or_none()
    return None if row is None else _opened(directory, row)


async def lock_person(
    connection: AsyncConnection, directory: Directory, person_id: UUID, *, client: str | None = None
) -> SealedPerson | None:
    """The same, locked until the transaction ends."""
    row = (await connection.execute(_LOCK, {"client": client, "id": person_id})).one_or_none()
    return None if row is None else _opened(directory, row)


async def find_by_login(
    connection: AsyncConnection, directory: Directory, *, client: str, login: str
) -> SealedPerson | None:
    """The client's person with this keyed hash of an address."""
    row = (await connection.execute(_BY_LOGIN, {"client": client, "login": login})).one_or_none()
    return None if row is None else _opened(directory, row)


async def list_people(
    connection: AsyncConnection, directory: Directory, *, client: str | None, after: UUID, limit: int
) -> list[Person]:
    """People with an id above `after`, in the order in which they were registered."""
    rows = await connection.execute(_LIST, {"client": client, "after": after, "limit": limit})
    return [_opened(directory, row).person for row in rows]


def _row(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "roles": sorted(person.roles),
        "state": person.state.value,
        "sessions_since": person.sessions_since,
        "updated_at": person.updated_at,
    }


def _place(person_id: UUID, column: str) -> Place:
    return Place(TABLE, column, str(person_id))


def _opened(directory: Directory, row: Row[Any]) -> SealedPerson:
    wrapped = WrappedKey(row.key_encryption_key, row.data_key)
    key = directory.vault.key(wrapped, TABLE, str(row.id))
    profile = Profile(
        name=key.open(row.name, _place(row.id, "name")), email=key.open(row.email, _place(row.id, "email"))
    )
    person = Person(
        id=row.id,
        client_id=row.client_id,
        profile=profile,
        roles=frozenset(row.roles),
        state=PersonState(row.state),
        sessions_since=row.sessions_since,
        registered_at=row.registered_at,
        updated_at=row.updated_at,
    )
    return SealedPerson(person, key)
