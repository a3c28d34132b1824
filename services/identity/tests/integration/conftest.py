"""The identity service on a real, migrated database."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from argon2 import PasswordHasher
from identity_service.api.key_uses import KeyUses
from identity_service.api.parts import IdentityParts
from identity_service.app import make_api, make_people, make_signing_keys
from identity_service.operations.issue_key import KeyMaker
from identity_service.operations.issue_token import TokenMaker
from identity_service.persistence.breached_passwords import BreachList
from identity_service.persistence.key_seal import KeySeal
from identity_service.persistence.passwords import Passwords
from identity_service.persistence.short_memory import ShortMemory
from service_kit.database import Database
from service_kit.ids import uuid7
from service_kit.key_encryption_keys import KeyEncryptionKey, KeyEncryptionKeys
from service_kit.vault import Vault
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase

from .office import ISSUER, PEPPER, STAFF, Callers, Office

# As argon2id, and as little of it as can be: what is tested is not its strength.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_KEYS = KeyEncryptionKeys([KeyEncryptionKey("kek-1", secrets.token_bytes(32), active=True)])


@pytest.fixture(scope="module")
def identity_database(database_for: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    """This module's own identity schema."""
    return database_for("identity")


@pytest.fixture(scope="session")
def callers() -> Callers:
    """Callers with different scopes."""
    return Callers()


@pytest.fixture(scope="session")
def vault() -> Vault:
    """One for the session, whose database may be the same."""
    return Vault(_KEYS, handle_key=secrets.token_bytes(32))


@pytest.fixture
async def office(
    identity_database: ServiceDatabase, callers: Callers, redis_url: str, vault: Vault
) -> AsyncIterator[Office]:
    """The service under test."""
    async with _opened(identity_database, callers, vault, redis_url) as office:
        yield office


@pytest.fixture
async def office_without_redis(
    identity_database: ServiceDatabase, callers: Callers, vault: Vault
) -> AsyncIterator[Office]:
    """The same, told of no Redis."""
    async with _opened(identity_database, callers, vault, None) as office:
        yield office


@asynccontextmanager
async def _opened(
    where: ServiceDatabase, callers: Callers, vault: Vault, redis_url: str | None
) -> AsyncIterator[Office]:
    database, memory, clock = Database(where.app_url, pool_size=20), ShortMemory(redis_url), StillClock()
    parts = IdentityParts(
        database=database,
        clock=clock,
        new_id=uuid7,
        staff_client=STAFF,
        key_maker=KeyMaker(PEPPER.encode(), secrets.token_bytes, uuid7),
        token_maker=TokenMaker(
            issuer=ISSUER, audience="florin", seal=KeySeal(_KEYS), clock=clock, new_id=uuid7
        ),
        key_uses=KeyUses(database, clock),
    )
    await make_signing_keys(parts)
    people = make_people(
        parts, memory=memory, vault=vault, passwords=Passwords(QUICK), breached=BreachList.load()
    )
    office = Office(parts, make_api(parts, people, callers.api_keys), callers, clock, people.door)
    async with office.connected():
        yield office
    await memory.close()
    await database.close()
