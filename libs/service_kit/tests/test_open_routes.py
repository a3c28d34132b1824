"""Routes that are open on purpose: how they are described, and how loud they are."""

import io
import json
import logging
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from service_kit.auth import ApiKeys
from service_kit.boundary import QUIET
from service_kit.http import create_app
from service_kit.protection import public
from service_kit.telemetry import configure_logging

PULSES = "/v1/pulses"


@pytest.fixture(scope="module")
def app() -> FastAPI:
    router = APIRouter(prefix="/v1")

    @router.get("/visits", dependencies=[Depends(public("a browser shows its cookie", cookie="visit"))])
    async def read_visits() -> None:
        """As whom the cookie says."""

    @router.get("/pulses", dependencies=[Depends(public("everybody may ask"))])
    async def read_pulses(request: Request, *, quiet: bool = True) -> None:
        """Again and again."""
        if quiet:
            request.scope[QUIET] = True

    return create_app(
        service="sample", title="Sample", version="1", api_keys=ApiKeys([], b"pepper"), routers=[router]
    )


def test_a_route_that_asks_for_a_cookie_says_so(app: FastAPI) -> None:
    document: dict[str, Any] = app.openapi()
    scheme = document["components"]["securitySchemes"]["Session"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", "visit")
    assert document["paths"]["/v1/visits"]["get"]["security"] == [{"Session": []}]
    assert document["paths"][PULSES]["get"]["security"] == []


@pytest.mark.parametrize(("level", "told"), [("INFO", ["info"]), ("DEBUG", ["debug", "info"])])
async def test_what_is_asked_for_each_second_is_told_at_debug(
    app: FastAPI, level: str, told: list[str]
) -> None:
    root, stream = logging.getLogger(), io.BytesIO()
    handlers, before = root.handlers[:], root.level
    configure_logging(service="sample", level=level, stream=stream)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sample") as http:
        for quiet in ("true", "false"):
            assert (await http.get(PULSES, params={"quiet": quiet})).status_code == 200
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    configure_logging(service="unconfigured")
    structlog.reset_defaults()
    root.handlers, root.level = handlers, before
    assert [line["level"] for line in lines if line["event"] == "request"] == told
