"""A server that takes connections and says nothing: an outage like any other, over with the silence."""

from collections.abc import AsyncIterator

import pytest
from service_kit.database import Database, DatabaseUnavailable, is_outage
from sqlalchemy import text
from sqlalchemy.engine import make_url
from testkit.databases import ServiceDatabase
from testkit.proxy import Proxy
from testkit.wire import PostgresWire

ASK = text("SELECT 1")


@pytest.fixture
async def proxy(empty_database: ServiceDatabase) -> AsyncIterator[Proxy]:
    before = Proxy(PostgresWire, make_url(empty_database.app_url).port or 0)
    await before.open()
    yield before
    await before.close()


@pytest.fixture
async def database(empty_database: ServiceDatabase, proxy: Proxy) -> AsyncIterator[Database]:
    url = make_url(empty_database.app_url).set(host="127.0.0.1", port=proxy.port)
    made = Database(url.render_as_string(hide_password=False), pool_size=1, command_timeout_s=0.3)
    yield made
    await made.close()


async def _fall_silent_in_transaction(database: Database, proxy: Proxy) -> None:
    async with database.transaction() as connection:
        await connection.execute(ASK)
        proxy.half_open = True
        await connection.execute(ASK)


async def _fall_silent_in_snapshot(database: Database, proxy: Proxy) -> None:
    async with database.snapshot() as connection:
        await connection.execute(ASK)
        # Nothing is asked any more: it is the end of the snapshot that gets no answer.
        proxy.half_open = True


@pytest.mark.parametrize("fall_silent", [_fall_silent_in_transaction, _fall_silent_in_snapshot])
async def test_silence_is_an_outage_and_its_connection_is_dropped(
    database: Database, proxy: Proxy, fall_silent: object
) -> None:
    assert callable(fall_silent)
    with pytest.raises(DatabaseUnavailable) as silence:
        await fall_silent(database, proxy)
    assert is_outage(silence.value)
    proxy.half_open = False
    await database.ping()
