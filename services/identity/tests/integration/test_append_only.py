"""What was written down stays, and migrating again changes nothing."""

import asyncpg
import pytest
from service_kit.migrations import Migrations
from testkit.databases import ServiceDatabase, connect

from .office import Office


async def test_migrating_twice_changes_nothing(office: Office, identity_database: ServiceDatabase) -> None:
    registered = await office.register()
    assert await Migrations.of("identity").run(identity_database.owner_url) == "0004"
    assert (await office.send("GET", f"/v1/clients/{registered}")).status_code == 200


async def test_clients_are_neither_deleted_nor_renamed(
    office: Office, identity_database: ServiceDatabase
) -> None:
    registered = await office.register()
    connection = await connect(identity_database.owner_url)
    try:
        for statement in (
            "DELETE FROM clients WHERE id = $1",
            "UPDATE clients SET id = 'other' WHERE id = $1",
            "DELETE FROM client_changes WHERE client_id = $1",
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
                await connection.execute(statement, registered)
    finally:
        await connection.close()
