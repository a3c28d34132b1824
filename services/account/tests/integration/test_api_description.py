"""schemathesis over the service's own description: no input gives a 5xx, every answer is as described."""

import asyncio
from collections.abc import Iterator
from threading import Thread
from typing import Any, cast

import pytest
import schemathesis
from account_service.app import make_api
from hypothesis import HealthCheck, settings
from schemathesis import checks
from service_kit.auth import ApiKeys
from service_kit.clock import SystemClock
from service_kit.database import Database
from service_kit.http import HttpServer
from service_kit.protection import assert_all_routes_protected
from testkit.databases import ServiceDatabase

from .bank import Callers


@pytest.fixture(scope="module")
def served(account_database: ServiceDatabase, callers: Callers) -> Iterator[str]:
    """The service behind its real server, on a loop of its own: schemathesis calls it from outside."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ready: asyncio.Queue[str] = asyncio.Queue()
    ended = asyncio.Event()
    serving = asyncio.run_coroutine_threadsafe(_serve(account_database, callers, ready, ended), loop)
    try:
        yield asyncio.run_coroutine_threadsafe(ready.get(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(ended.set)
        serving.result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(
    where: ServiceDatabase, callers: Callers, ready: "asyncio.Queue[str]", ended: asyncio.Event
) -> None:
    database = Database(where.app_url)
    server = HttpServer(make_api(database, callers.api_keys, SystemClock()), host="127.0.0.1", port=0)
    running = asyncio.create_task(server.run())
    await server.started()
    await ready.put(f"http://127.0.0.1:{server.port}")
    await ended.wait()
    await server.stop()
    await running
    await database.close()


# The description needs no database: the routes ask for it only when they are called.
_API = make_api(cast(Database, None), ApiKeys([], b""), SystemClock())
schema = schemathesis.openapi.from_dict(_API.openapi())

# A schema cannot say which account exists or which cursor is ours; the answer to other methods is the kit's.
UNDESCRIBABLE = [
    checks.positive_data_acceptance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case[Any], served: str, callers: Callers) -> None:
    excluded = [*UNDESCRIBABLE, checks.ignored_auth]
    if case.operation.path.endswith("/batches"):
        # A bad item is refused alone, within an answer of 200.
        excluded.append(checks.negative_data_rejection)
    case.call_and_validate(
        base_url=served,
        headers={"authorization": f"Bearer {callers.keys['bank']}"},
        excluded_checks=excluded,
    )


def test_every_route_asks_for_a_key() -> None:
    assert_all_routes_protected(_API)


def test_every_operation_is_described() -> None:
    for path in _API.openapi()["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
