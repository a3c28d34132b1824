"""Keys are wrapped anew while the service runs, and names of an earlier release are sealed."""

import secrets
from uuid import UUID

import pytest
from account_service.operations.read_customers import read_customer
from account_service.operations.seal_holders import seal_holders
from account_service.persistence.wrapped_keys import KEPT
from service_kit.database import Database
from service_kit.key_encryption_keys import (
    KeyEncryptionKey,
    KeyEncryptionKeys,
    UnknownKeyEncryptionKey,
)
from service_kit.vault import Vault
from service_kit.wrapped_keys import rotate_keys
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, name, terms
from .people import register


async def read(bank: Bank, customer_id: str, vault: Vault | None = None) -> str:
    async with bank.database.snapshot() as connection:
        customer = await read_customer(connection, vault or bank.vault, "bank", UUID(customer_id))
    return customer.person.name


async def test_two_people_of_one_name_are_kept_differently(bank: Bank) -> None:
    for _ in range(2):
        await register(bank, name="Jana Nová")
        await bank.open(holder="Jana Nová")
    for table, column in (("customers", "name"), ("account_holders", "holder"), ("customers", "data_key")):
        [row] = await bank.rows(f"SELECT count(*) AS all, count(DISTINCT {column}) AS different FROM {table}")
        assert row.all == row.different > 1


class Ring:
    """Key-encryption keys that change as their file would."""

    def __init__(self, bank: Bank) -> None:
        self.handle_key = bank.vault.handle_key
        self.first = bank.vault._keys.active()
        self.second = KeyEncryptionKey("kek-2", secrets.token_bytes(32), active=True)
        self.retired = KeyEncryptionKey(self.first.id, self.first.secret, active=False)

    def vault(self, *keys: KeyEncryptionKey) -> Vault:
        return Vault(KeyEncryptionKeys(keys), handle_key=self.handle_key)


async def test_all_keys_come_under_the_newest_and_the_old_one_can_be_dropped(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    people = [(await register(bank))["id"] for _ in range(7)]
    account = await bank.open(holder="Petr Starý")
    ring = Ring(bank)
    both, new = ring.vault(ring.retired, ring.second), ring.vault(ring.second)
    owner = Database(account_database.owner_url, pool_size=1)
    try:
        rotation = await rotate_keys(owner, both, KEPT, batch=3)
        assert rotation.kept.keys() == {"kek-2"}
        assert rotation.rewrapped == sum(rotation.kept.values()) >= 8
        again = await rotate_keys(owner, both, KEPT, batch=3)
        assert (again.rewrapped, again.kept) == (0, rotation.kept)
        for customer in people:
            assert await read(bank, customer, new) == "Jana Nová"
        [row] = await bank.rows(
            "SELECT count(*) FROM account_holders h JOIN accounts a ON a.id = h.account_id "
            "WHERE a.reference = :account AND h.key_encryption_key = 'kek-2'",
            account=account,
        )
        assert row.count == 1
        # Back again, for the tests that share this database.
        back = KeyEncryptionKey("kek-2", ring.second.secret, active=False)
        await rotate_keys(owner, ring.vault(ring.first, back), KEPT, batch=1000)
    finally:
        await owner.close()
    assert await read(bank, people[0]) == "Jana Nová"


async def test_a_rotation_without_the_old_key_changes_nothing(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    customer = (await register(bank))["id"]
    ring = Ring(bank)
    owner = Database(account_database.owner_url, pool_size=1)
    try:
        with pytest.raises(UnknownKeyEncryptionKey):
            await rotate_keys(owner, ring.vault(ring.second), KEPT)
    finally:
        await owner.close()
    assert await read(bank, customer) == "Jana Nová"


async def test_a_key_that_cannot_be_unwrapped_stops_no_other(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    broken, sound = (await register(bank))["id"], (await register(bank))["id"]
    connection = await connect(account_database.owner_url)
    try:
        await connection.execute("UPDATE customers SET data_key = '' WHERE id = $1", broken)
    finally:
        await connection.close()
    ring = Ring(bank)
    owner = Database(account_database.owner_url, pool_size=1)
    try:
        rotation = await rotate_keys(owner, ring.vault(ring.retired, ring.second), KEPT, batch=1)
        assert (rotation.broken, rotation.kept["kek-1"]) == ((f"customers {broken}",), 1)
        assert await read(bank, sound, ring.vault(ring.second)) == "Jana Nová"
        back = KeyEncryptionKey("kek-2", ring.second.secret, active=False)
        await rotate_keys(owner, ring.vault(ring.first, back), KEPT)
    finally:
        await owner.close()


async def test_names_of_an_earlier_release_are_sealed_and_still_compared(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    body = terms(opening_balance_minor=100)
    await bank.send("POST", "/v1/accounts", body)
    old = [name("old") for _ in range(5)]
    connection = await connect(account_database.app_url)
    try:
        await connection.executemany(
            "INSERT INTO accounts (client_id, reference, holder, currency, kind, state, overdraft_minor, "
            "opened_at, updated_at) VALUES ('bank', $1, 'Petr Starý', 'CZK', 'customer', 'ACTIVE', 0, "
            "now(), now())",
            [(reference,) for reference in old],
        )
    finally:
        await connection.close()
    unsealed = await bank.send("GET", f"/v1/accounts/{old[0]}", key=None)
    assert unsealed.json()["holder"] == "Petr Starý"
    owner = Database(account_database.owner_url, pool_size=1)
    try:
        assert await seal_holders(owner, bank.vault, batch=2) == 5
        assert await seal_holders(owner, bank.vault, batch=2) == 0
    finally:
        await owner.close()
    assert not await bank.rows("SELECT id FROM accounts WHERE holder IS NOT NULL AND kind = 'customer'")
    for reference in old:
        read_again = await bank.send("GET", f"/v1/accounts/{reference}", key=None)
        assert read_again.json()["holder"] == "Petr Starý"
    again = await bank.send("POST", "/v1/accounts", terms(old[0], holder="Petr Starý"))
    other = await bank.send("POST", "/v1/accounts", terms(old[1], holder="Petr Nový"))
    assert (again.status_code, other.status_code) == (200, 409)
    assert [one["field"] for one in other.json()["errors"]] == ["holder"]
