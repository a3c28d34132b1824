"""The database itself refuses to change history, whoever asks."""

from collections.abc import Callable

import asyncpg
import pytest
from testkit.databases import ServiceDatabase, connect

from .receiver import Receiver
from .stage import Stage

APPEND_ONLY = ("notifications", "webhook_attempts", "webhook_endpoint_changes")
CHANGES = {
    "UPDATE": {
        "notifications": "UPDATE notification.notifications SET body = 'x'",
        "webhook_attempts": "UPDATE notification.webhook_attempts SET duration_ms = 0",
        "webhook_endpoint_changes": "UPDATE notification.webhook_endpoint_changes SET reason = 'x'",
    },
    "DELETE": {table: f"DELETE FROM notification.{table}" for table in APPEND_ONLY},
    "TRUNCATE": {table: f"TRUNCATE notification.{table} CASCADE" for table in APPEND_ONLY},
}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", list(CHANGES))
async def test_append_only_table_refuses_both_roles(
    stage: Stage,
    receiver: Receiver,
    database_for: Callable[[str], ServiceDatabase],
    table: str,
    change: str,
) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    database = database_for("notification")
    refusals = {
        database.app_url: asyncpg.InsufficientPrivilegeError,
        database.owner_url: asyncpg.IntegrityConstraintViolationError,
    }
    for url, refusal in refusals.items():
        connection = await connect(url)
        try:
            assert await connection.fetchval(f"SELECT count(*) FROM notification.{table}") > 0
            with pytest.raises(refusal):
                await connection.execute(CHANGES[change][table])
        finally:
            await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM webhook_endpoints",
        "DELETE FROM webhook_deliveries",
        "DELETE FROM webhook_secrets",
        "UPDATE webhook_secrets SET secret = secret",
        "UPDATE webhook_endpoints SET client_id = 'me'",
        "UPDATE webhook_deliveries SET client_id = 'me'",
    ],
)
async def test_app_role_has_no_more_than_it_needs(
    database_for: Callable[[str], ServiceDatabase], statement: str
) -> None:
    connection = await connect(database_for("notification").app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()
