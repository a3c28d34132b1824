"""Query parameters are as strict as bodies."""

from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from service_kit.auth import ApiKeys
from service_kit.http import create_app
from service_kit.parameters import Instant


class Filters(BaseModel):
    """A model of parameters, as some routes have."""

    state: str | None = None
    tags: Annotated[list[str] | None, Field(max_length=5)] = None


def _api() -> httpx2.AsyncClient:
    router = APIRouter()

    @router.get("/plain")
    async def plain(since: Instant | None = None) -> dict[str, str]:
        return {"since": str(since)}

    @router.get("/model")
    async def model(filters: Annotated[Filters, Query()]) -> dict[str, str | None]:
        return {"state": filters.state}

    app = create_app(service="t", title="t", version="1", api_keys=ApiKeys([], b""), routers=[router])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://t")


@pytest.mark.parametrize(
    "path", ["/plain?sinse=x", "/plain?since=2026-01-31T12:00:00Z&more=1", "/model?stat=x"]
)
async def test_a_parameter_that_the_route_does_not_have_is_refused(path: str) -> None:
    """Not ignored: a misspelt filter would give everything."""
    async with _api() as api:
        answer = await api.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_field")


@pytest.mark.parametrize("path", ["/plain?since=2026-01-31T12:00:00Z&since=x", "/model?state=x&state=x"])
async def test_a_parameter_that_is_given_twice_is_refused(path: str) -> None:
    """One of the two would be ignored, and nobody knows which was meant."""
    async with _api() as api:
        answer = await api.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "repeated_field")


@pytest.mark.parametrize(
    "path",
    [
        "/model?tags=a&tags=b",
        "/plain",
        "/plain?since=2026-01-31T12:00:00.5%2B01:00",
        "/model?state=x",
        "/model",
    ],
)
async def test_a_parameter_that_the_route_has_is_read(path: str) -> None:
    """Singly or in a model."""
    async with _api() as api:
        assert (await api.get(path)).status_code == 200


@pytest.mark.parametrize(
    "text", ["0.5", "1700000000", "2026-01-31", "2026-01-31T12:00:00", "0001-01-01T00:00:00Z", "", "now"]
)
async def test_what_is_no_instant_is_refused(text: str) -> None:
    """Neither seconds nor dates nor times without an offset pass for one."""
    async with _api() as api:
        answer = await api.get("/plain", params={"since": text})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_a_time")
