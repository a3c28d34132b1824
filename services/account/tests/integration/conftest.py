"""The account service on a real, migrated database, spoken to as its clients and its peers do."""

from collections.abc import AsyncIterator, Callable

import pytest
from account_service.app import make_api
from messaging.signing import KeyRing
from service_kit.database import Database
from service_kit.vault import Vault
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase

from .bank import REGION, Bank, new_vault
from .callers import Callers
from .limited import NOON


@pytest.fixture(scope="module")
def account_database(database_for: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    """This module's own account schema."""
    return database_for("account")


@pytest.fixture(scope="session")
def callers() -> Callers:
    """Clients with different scopes."""
    return Callers()


@pytest.fixture(scope="session")
def vault() -> Vault:
    """The vault of every bank of the session, whose database may be the same."""
    return new_vault()


@pytest.fixture(scope="module")
async def module_bank(
    account_database: ServiceDatabase, callers: Callers, keyring: KeyRing, vault: Vault
) -> AsyncIterator[Bank]:
    """The service under test, made once a module: an application's routes take longer to make than to try."""
    database = Database(account_database.app_url, pool_size=20)
    clock = StillClock()
    api = make_api(database, callers.api_keys, clock, vault, default_region=REGION)
    bank = Bank(database, api, callers, keyring, clock, vault)
    async with bank.connected():
        yield bank
    await database.close()


@pytest.fixture
def bank(module_bank: Bank) -> Bank:
    """The service under test, its clock showing the real time."""
    module_bank.clock.at = None
    return module_bank


@pytest.fixture
async def pair(bank: Bank) -> tuple[str, str]:
    """A payer with money, and a payee; it is noon."""
    payer, payee = await bank.open(balance=10_000), await bank.open()
    bank.clock.at = NOON
    return payer, payee
