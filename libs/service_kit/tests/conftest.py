"""The sample API, called in process or over a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from service_kit.http import HttpServer

from .sample_api import REQUEST_TIMEOUT_S, Sample, api_key, make_sample


@pytest.fixture(scope="module")
def module_sample() -> Sample:
    return make_sample()


@pytest.fixture
def sample(module_sample: Sample) -> Sample:
    """The module's API, which nothing has reached yet."""
    module_sample.reached.clear()
    return module_sample


@pytest.fixture(scope="module")
async def module_served(module_sample: Sample) -> AsyncIterator[Sample]:
    server = HttpServer(module_sample.app, host="127.0.0.1", port=0, request_timeout_s=REQUEST_TIMEOUT_S)
    running = asyncio.create_task(server.run())
    await server.started()
    module_sample.port = server.port
    yield module_sample
    await server.stop()
    await running


@pytest.fixture
def served(module_served: Sample, sample: Sample) -> Sample:
    """The API on a socket, with a short patience for slow clients."""
    assert module_served is sample
    return sample


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
