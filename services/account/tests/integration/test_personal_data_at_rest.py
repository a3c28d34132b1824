"""What is kept of people opens under the right keys in its own place, and nowhere else."""

from uuid import UUID, uuid4

import asyncpg
import pytest
from account_service.operations.read_customers import read_customer
from service_kit.key_encryption_keys import UnknownKeyEncryptionKey
from service_kit.vault import SealBroken, Vault
from testkit.databases import ServiceDatabase, connect

from .bank import Bank, new_vault, terms
from .people import register


async def read(bank: Bank, customer_id: str, vault: Vault | None = None) -> str:
    async with bank.database.snapshot() as connection:
        customer = await read_customer(connection, vault or bank.vault, "bank", UUID(customer_id))
    return customer.person.name


async def change(bank: Bank, where: ServiceDatabase, sql: str, *arguments: object) -> None:
    connection = await connect(where.owner_url)
    try:
        assert await connection.execute(sql, *arguments) != "UPDATE 0"
    finally:
        await connection.close()


async def test_another_key_encryption_key_opens_nothing(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    assert await read(bank, customer) == "Jana Nová"
    with pytest.raises(SealBroken):
        await read(bank, customer, new_vault(active="kek-1"))
    with pytest.raises(UnknownKeyEncryptionKey):
        await read(bank, customer, new_vault(active="kek-2"))


async def test_no_row_of_any_table_shows_a_name(bank: Bank) -> None:
    name = f"Jana {uuid4().hex}"
    await bank.open(holder=name)
    await bank.send("POST", "/v1/accounts/batches", {"accounts": [terms(holder=name)]})
    await register(bank, name=name)
    tables = await bank.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'account'")
    assert len(tables) > 15
    for table in tables:
        sql = f"SELECT t FROM {table.name} t WHERE t::text LIKE :name OR t::text LIKE :bytes"
        assert not await bank.rows(sql, name=f"%{name}%", bytes=f"%{name.encode().hex()}%"), table.name


@pytest.mark.parametrize("column", ["name", "mobile", "email", "data_key"])
async def test_an_altered_cell_does_not_open(
    bank: Bank, account_database: ServiceDatabase, column: str
) -> None:
    customer = (await register(bank))["id"]
    last = f"length({column}) - 1"
    flipped = f"set_byte({column}, {last}, get_byte({column}, {last}) # 1)"
    await change(bank, account_database, f"UPDATE customers SET {column} = {flipped} WHERE id = $1", customer)
    with pytest.raises(SealBroken):
        await read(bank, customer)


@pytest.mark.parametrize("cell", [b"", b"x", b"x" * 12])
async def test_a_cell_cut_short_does_not_open(
    bank: Bank, account_database: ServiceDatabase, cell: bytes
) -> None:
    customer = (await register(bank))["id"]
    await change(bank, account_database, "UPDATE customers SET name = $2 WHERE id = $1", customer, cell)
    with pytest.raises(SealBroken):
        await read(bank, customer)


async def test_a_cell_moved_to_another_column_does_not_open(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    customer = (await register(bank))["id"]
    await change(bank, account_database, "UPDATE customers SET name = email WHERE id = $1", customer)
    with pytest.raises(SealBroken):
        await read(bank, customer)


async def test_cells_of_another_row_do_not_open_even_with_their_key(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    one, two = (await register(bank))["id"], (await register(bank, name="Petr Starý"))["id"]
    swap = (
        "UPDATE customers AS c SET name = o.name, mobile = o.mobile, email = o.email, data_key = o.data_key "
        "FROM customers AS o WHERE c.id = $1 AND o.id = $2"
    )
    await change(bank, account_database, swap, one, two)
    with pytest.raises(SealBroken):
        await read(bank, one)


async def test_a_damaged_row_is_told_without_its_content(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    customer = (await register(bank))["id"]
    await change(bank, account_database, "UPDATE customers SET name = '' WHERE id = $1", customer)
    answer = await bank.send("GET", f"/v1/customers/{customer}", key=None)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


async def test_the_app_role_cannot_touch_wrapped_keys(bank: Bank, account_database: ServiceDatabase) -> None:
    await register(bank)
    await bank.open()
    connection = await connect(account_database.app_url)
    try:
        for statement in (
            "UPDATE customers SET data_key = ''",
            "UPDATE customers SET key_encryption_key = ''",
            "UPDATE account_holders SET data_key = ''",
            "UPDATE account_holders SET holder = ''",
            "DELETE FROM customers",
            "DELETE FROM account_holders",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
