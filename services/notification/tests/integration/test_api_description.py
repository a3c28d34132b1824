"""schemathesis over the service's own description: no input gives a 5xx, every answer is as described."""

import asyncio
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from notification_service.domain.target import TargetPolicy
from notification_service.operations.register_endpoint import EndpointLimits
from service_kit.http import HttpServer
from testkit.databases import ServiceDatabase

from .stage import api_key, set_up


@pytest.fixture(scope="module")
def served(database_for: Callable[[str], ServiceDatabase]) -> Iterator[str]:
    """The service behind its real server, on a loop of its own: schemathesis calls it from outside."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    address: asyncio.Future[str] = asyncio.run_coroutine_threadsafe(_future(), loop).result(5)
    ended = asyncio.Event()
    serving = asyncio.run_coroutine_threadsafe(_serve(database_for("notification"), address, ended), loop)
    try:
        yield asyncio.run_coroutine_threadsafe(_value(address), loop).result(20)
    finally:
        loop.call_soon_threadsafe(ended.set)
        serving.result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _future() -> "asyncio.Future[str]":
    return asyncio.get_running_loop().create_future()


async def _value(future: "asyncio.Future[str]") -> str:
    return await future


async def _serve(database: ServiceDatabase, address: "asyncio.Future[str]", ended: asyncio.Event) -> None:
    policy = TargetPolicy(allow_private=True, allow_http=True)
    async with set_up(database.app_url, policy=policy, limits=EndpointLimits()) as stage:
        transport: Any = stage.api._transport
        server = HttpServer(transport.app, host="127.0.0.1", port=0)
        running = asyncio.create_task(server.run())
        await server.started()
        address.set_result(f"http://127.0.0.1:{server.port}")
        await ended.wait()
        await server.stop()
        await running


schema = schemathesis.pytest.from_fixture("described")


@pytest.fixture
def described(served: str) -> Any:
    return schemathesis.openapi.from_url(f"{served}/openapi.json")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"authorization": f"Bearer {api_key('aaaaaaaa')}"})
