"""The sample API, called in process or over a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from service_kit.auth import ApiKeys, Client, key_digest
from service_kit.http import HttpServer, create_app
from service_kit.limits import Limits
from service_kit.problems import Problem

from .sample_api import BODY_BYTES, PEPPER, REQUEST_TIMEOUT_S, LimitReached, Sample, api_key, routes


@pytest.fixture
def sample() -> Sample:
    reached: list[str] = []
    keys = ApiKeys(
        [
            (
                Client("demo", frozenset({"payments:write"}), "abcdefgh"),
                key_digest(api_key("abcdefgh"), PEPPER),
            ),
            (
                Client("reader", frozenset({"payments:read"}), "readerzz"),
                key_digest(api_key("readerzz"), PEPPER),
            ),
        ],
        PEPPER,
    )
    app = create_app(
        service="sample",
        title="Sample",
        version="1.0.0",
        api_keys=keys,
        routers=[routes(reached)],
        errors={
            LimitReached: lambda error: Problem(422, "limit_reached", "Limit", f"At most {error.limit}.")
        },
        limits=Limits(
            body_bytes=BODY_BYTES, json_depth=8, target_bytes=1_000, header_count=40, header_bytes=8_000
        ),
    )
    return Sample(app, reached)


@pytest.fixture
async def served(sample: Sample) -> AsyncIterator[Sample]:
    """The API on a socket, with a short patience for slow clients."""
    server = HttpServer(sample.app, host="127.0.0.1", port=0, request_timeout_s=REQUEST_TIMEOUT_S)
    running = asyncio.create_task(server.run())
    await server.started()
    sample.port = server.port
    yield sample
    await server.stop()
    await running


@pytest.fixture
async def call(sample: Sample) -> AsyncIterator[Callable[..., Awaitable[httpx2.Response]]]:
    """Calls the API in process, as the demo client unless told otherwise; None leaves a header out."""
    transport = httpx2.ASGITransport(app=sample.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sample") as client:

        async def request(method: str, path: str, **options: Any) -> httpx2.Response:
            headers: dict[str, str | None] = {
                "authorization": f"Bearer {api_key('abcdefgh')}",
                "idempotency-key": "k-1",
            }
            headers |= options.pop("headers", {})
            pairs = [(name, value) for name, value in headers.items() if value is not None]
            pairs += options.pop("more_headers", [])
            raw = [(name.encode(), value.encode()) for name, value in pairs]
            return await client.request(method, path, headers=raw, **options)

        yield request
