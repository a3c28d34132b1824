"""The account service on a real, migrated database, spoken to as its clients and its peers do."""

from collections.abc import AsyncIterator, Callable

import pytest
from account_service.app import make_api
from messaging.signing import KeyRing
from service_kit.database import Database
from testkit.databases import ServiceDatabase

from .bank import Bank, Callers, StillClock


@pytest.fixture(scope="module")
def account_database(database_for: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    """This module's own account schema."""
    return database_for("account")


@pytest.fixture(scope="session")
def callers() -> Callers:
    """Clients with different scopes."""
    return Callers()


@pytest.fixture
async def bank(account_database: ServiceDatabase, callers: Callers, keyring: KeyRing) -> AsyncIterator[Bank]:
    """The service under test, with a client of its own for this test."""
    database = Database(account_database.app_url, pool_size=20)
    clock = StillClock()
    api = make_api(database, callers.api_keys, clock)
    bank = Bank(database, api, callers, keyring, clock)
    async with bank.connected():
        yield bank
    await database.close()
