"""schemathesis over the service's own description: no input gives a 5xx, every answer is as described."""

import asyncio
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from notification_service.api.parts import Parts
from notification_service.app import make_api
from notification_service.domain.target import TargetPolicy
from notification_service.operations.register_endpoint import EndpointLimits
from schemathesis import checks
from service_kit.auth import ApiKeys
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


# The description needs no database: what the routes work with is only asked for when they are called.
_DOCUMENT = make_api(cast(Parts, None), ApiKeys([], b"")).openapi()
schema = schemathesis.openapi.from_dict(_DOCUMENT)


@schema.auth()
class Key:
    """Known to schemathesis as what it is, so that it can also leave it out."""

    def get(self, case: Any, context: Any) -> str:
        return api_key("aaaaaaaa")

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


# A schema cannot say which URL is public or which cursor is ours; the answer to other methods is the kit's.
UNDESCRIBABLE = [
    checks.positive_data_acceptance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case[Any], served: str) -> None:
    case.call_and_validate(
        base_url=served,
        excluded_checks=UNDESCRIBABLE,
    )
