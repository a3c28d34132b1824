"""The short way answers what FastAPI's own way answers, to the byte."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from service_kit import http
from service_kit.auth import requires
from service_kit.direct import straight

from .sample_api import api_key, make_api

Ask = Callable[..., Awaitable[list[httpx2.Response]]]


class Order(BaseModel):
    name: str = Field(max_length=10)
    count: int = Field(strict=True, ge=1)


class Answered(BaseModel):
    order: Order
    warm: int | None
    seen: str
    left_out: str | None = None


async def seen_by(request: Request) -> str:
    return request.url.path


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/orders", status_code=201, dependencies=[Depends(requires("payments:write"))])
    async def order(
        body: Order,
        request: Request,
        response: Response,
        seen: Annotated[str, Depends(seen_by)],
        warm: Annotated[int | None, Header(ge=3)] = None,
        dry: bool = False,
        note: Annotated[str | None, Query(max_length=5)] = None,
    ) -> Answered:
        if dry or note is not None:
            response.headers["x-query"] = f"{dry} {note}"
        if body.name == "response":
            return Response(b"as it is", status_code=299, headers={"x-own": "1"})  # type: ignore[return-value]
        if body.name == "bug":
            raise RuntimeError("ours")
        if body.name == "other":
            response.status_code = 200
        response.headers["x-seen"] = f"{request.method} {seen}"
        return Answered(order=body, warm=warm, seen=seen)

    return router


@pytest.fixture
async def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Sends one request to the same API made both ways, the short one first."""
    short = make_api([routes()])
    monkeypatch.setattr(http, "straight", lambda _route: None)
    own = make_api([routes()])
    assert [_goes_straight(app, "/orders") for app in (short, own)] == [True, False]

    async def request(method: str, path: str, **options: Any) -> list[httpx2.Response]:
        answers = []
        for app in (short, own):
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://sample") as client:
                answers.append(await client.request(method, path, **options))
        return answers

    return request


def _goes_straight(app: Any, path: str) -> bool:
    (route,) = [route for route in app.router.routes if getattr(route, "path", None) == path]
    return type(route.app).__module__ == "service_kit.direct"


GOOD = {"name": "a", "count": 1}
AUTHORIZED = {"authorization": f"Bearer {api_key('abcdefgh')}"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": GOOD}, 201),
        ({"json": GOOD, "headers": AUTHORIZED | {"warm": "3"}}, 201),
        ({"json": GOOD, "headers": [*AUTHORIZED.items(), ("warm", "3"), ("warm", "x")]}, 201),
        ({"json": GOOD, "headers": AUTHORIZED | {"warm": "2"}}, 422),
        ({"json": {"name": "a" * 11, "count": "1"}, "headers": AUTHORIZED | {"warm": "cold"}}, 422),
        ({"json": {"name": "other", "count": 1}}, 200),
        ({"json": {"name": "response", "count": 1}}, 299),
        ({"json": {"name": "bug", "count": 1}}, 500),
        ({"json": {"name": "ü\u2028\U0001f600", "count": 10**30}}, 201),
        ({"json": {"count": 1.0}}, 422),
        ({"json": {}}, 422),
        ({"json": []}, 422),
        ({"json": [GOOD]}, 422),
        ({"json": "text"}, 422),
        ({"json": 7}, 422),
        ({"json": False}, 422),
        ({"content": b"null"}, 422),
        ({"content": b""}, 422),
        ({}, 422),
        ({"content": b"{"}, 400),
        ({"json": GOOD, "params": {"unknown": "1"}}, 422),
        ({"json": GOOD, "params": {"dry": "true"}}, 201),
        ({"json": GOOD, "params": {"dry": "off", "note": "é&+"}}, 201),
        ({"json": GOOD, "params": {"dry": "perhaps"}}, 422),
        ({"json": GOOD, "params": {"dry": ""}}, 422),
        ({"json": GOOD, "params": [("dry", "no"), ("dry", "yes")]}, 422),
        (
            {"json": {}, "params": {"note": "too long", "dry": "x"}, "headers": AUTHORIZED | {"warm": "1"}},
            422,
        ),
        ({"json": GOOD, "headers": {}}, 401),
        ({"json": {}, "headers": {}}, 401),
        ({"json": GOOD, "headers": {"authorization": f"Bearer {api_key('readerzz')}"}}, 403),
        ({"content": b"{}", "headers": AUTHORIZED | {"content-type": "text/plain"}}, 415),
    ],
)
async def test_both_ways_answer_alike(ask: Ask, options: dict[str, Any], status: int) -> None:
    headers = list(httpx2.Headers(options.pop("headers", AUTHORIZED)).multi_items())
    if "content" in options and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    short, own = await ask("POST", "/orders", headers=headers, **options)
    assert short.status_code == status
    assert _told(short) == _told(own)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_method_that_is_not_served_is_refused_alike(ask: Ask, method: str) -> None:
    short, own = await ask(method, "/orders")
    assert short.status_code == 405
    assert _told(short) == _told(own)


def _told(answer: httpx2.Response) -> tuple[int, list[tuple[str, str]], Any]:
    body = answer.content
    if answer.headers.get("content-type") == "application/problem+json":
        body = answer.json() | {"trace_id": None}
    headers = sorted(pair for pair in answer.headers.multi_items() if pair[0] != "x-request-id")
    return answer.status_code, headers, body


async def _depends_on_another(request: Request, seen: Annotated[str, Depends(seen_by)]) -> str:
    return str(request.url) + seen


def _plain(request: Request) -> str:
    return str(request.url)


async def _query(body: Order, limit: int = 3) -> Answered: ...  # type: ignore[empty-body]
async def _needed_query(body: Order, dry: bool) -> Answered: ...  # type: ignore[empty-body]
async def _query_list(body: Order, dry: Annotated[list[str] | None, Query()] = None) -> Answered: ...  # type: ignore[empty-body]
async def _checked_query(body: Order, limit: Annotated[int, Query()]) -> Answered: ...  # type: ignore[empty-body]
async def _cookie(body: Order, session: Annotated[str, Cookie()]) -> Answered: ...  # type: ignore[empty-body]
async def _two_bodies(body: Order, other: Order) -> Answered: ...  # type: ignore[empty-body]
async def _embedded(body: Annotated[Order, Body(embed=True)]) -> Answered: ...  # type: ignore[empty-body]
async def _tasks(body: Order, tasks: BackgroundTasks) -> Answered: ...  # type: ignore[empty-body]
async def _nested(body: Order, deep: Annotated[str, Depends(_depends_on_another)]) -> Answered: ...  # type: ignore[empty-body]
async def _in_thread(body: Order, url: Annotated[str, Depends(_plain)]) -> Answered: ...  # type: ignore[empty-body]
async def _no_body(request: Request) -> Answered: ...  # type: ignore[empty-body]
async def _no_answer(body: Order) -> None: ...
def _not_async(body: Order) -> Answered: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    "declared",
    [
        *(
            _query,
            _needed_query,
            _query_list,
            _checked_query,
            _cookie,
            _two_bodies,
            _embedded,
            _tasks,
            _nested,
            _in_thread,
        ),
        *(_no_body, _no_answer, _not_async),
    ],
)
def test_what_it_does_not_know_is_left_to_fastapi(declared: Any) -> None:
    assert straight(APIRoute("/orders", declared, methods=["POST"], status_code=201)) is None
