"""Who may call what: every route of every service, by every method, as every role and as nobody.

The routes stand alone here, with nothing behind them: whatever gets past the question who calls ends as a
fault of ours (500), so that an answer of 401 or 403 shows that nothing else was done.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from florin.api_docs import unserved_api
from florin.services import PROCESSES
from service_kit.access import ROLES, SCOPES
from service_kit.auth import Client, Unauthenticated
from service_kit.protection import PUBLIC, is_public, ways_in

PERSON = f"person:{UUID(int=7)}"
NOBODY, STRANGER, EVERYTHING, NOTHING = "nobody", "stranger", "every scope", "no scope"
# By bearer; a role's holder has just shown a second factor.
PRINCIPALS: Mapping[str, Client] = {
    **{role: Client("demo", scopes, "token:1", PERSON, datetime.now(UTC)) for role, scopes in ROLES.items()},
    EVERYTHING: Client("demo", frozenset(SCOPES), "key:everythi"),
    NOTHING: Client("demo", frozenset(), "key:nothingg"),
}
# What needs no bearer: it is public, or the request itself (its form, its cookie) says who asks.
# Written out, so that nobody opens a route in passing.
OPEN: Mapping[str, set[tuple[str, str]]] = {
    "identity": {
        ("POST", "/oauth/token"),
        ("POST", "/oauth/revoke"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/jwks.json"),
        ("POST", "/v1/enrolment"),
        ("POST", "/v1/enrolment/confirm"),
        ("POST", "/v1/sign-in"),
        ("POST", "/v1/sign-in/second-factor"),
        ("GET", "/v1/session"),
        ("DELETE", "/v1/session"),
        ("POST", "/v1/session/second-factor"),
        ("POST", "/v1/session/password"),
        ("POST", "/v1/session/token"),
        ("POST", "/v1/session/recovery-codes"),
        ("GET", "/v1/sessions"),
        ("DELETE", "/v1/sessions/{session_id}"),
    }
}
# Sets of scopes, each of which lets a caller in by itself.
Ways = frozenset[frozenset[str]]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Bearers:
    """Takes a bearer for the principal of that name."""

    def authenticate(self, bearer: str) -> Client:
        try:
            return PRINCIPALS[bearer]
        except KeyError:
            raise Unauthenticated("unknown") from None

    async def ask_for_news(self) -> None: ...


@asynccontextmanager
async def connected(api: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=api, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as http:
        yield http


async def call(http: httpx2.AsyncClient, method: str, path: str, caller: str) -> httpx2.Response:
    """A request whose every other part could be right."""
    filled = "/".join(str(UUID(int=1)) if part.startswith("{") else part for part in path.split("/"))
    headers = {"idempotency-key": "k-1"}
    if caller != NOBODY:
        headers["authorization"] = f"Bearer {caller}"
    body: dict[str, Any] | None = {} if method in ("POST", "PUT", "PATCH") else None
    return await http.request(method, filled, headers=headers, json=body)


def described(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Ways]]:
    """Method, path and ways in of each operation, as the document tells them."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            security = operation.get("security", [])
            yield (
                method.upper(),
                path,
                frozenset(frozenset(scopes) for way in security for scopes in way.values() if scopes),
            )


async def document_of(api: FastAPI) -> list[tuple[str, str, Ways]]:
    """What the running API tells of itself."""
    async with connected(api) as http:
        answer = await http.get("/openapi.json")
    return list(described(answer.json()))


@pytest.mark.parametrize("service", PROCESSES)
async def test_routes_are_those_described_and_their_scopes_exist(service: str) -> None:
    api = unserved_api(service, Bearers())
    running, open_to_all = set(), set()
    for route in iter_route_contexts(api.routes):
        if route.path in PUBLIC:
            continue
        ways = frozenset(ways_in(route))
        for method in (route.methods or set()) - {"HEAD"}:
            running.add((method, str(route.path), ways))
            if is_public(route):
                open_to_all.add((method, str(route.path)))
    told = await document_of(api)
    assert running == set(told)
    assert {(method, path) for method, path, ways in told if not ways} == open_to_all
    assert frozenset[str]().union(*(way for _, _, ways in told for way in ways)) <= SCOPES.keys()
    assert open_to_all == OPEN.get(service, set())


@pytest.mark.parametrize("service", PROCESSES)
async def test_what_is_not_granted_is_refused_and_nothing_else_happens(service: str) -> None:
    api = unserved_api(service, Bearers())
    wrong = []
    async with connected(api) as http:
        for method, path, ways in await document_of(api):
            if not ways:
                continue
            for caller in (NOBODY, STRANGER, *PRINCIPALS):
                answer = await call(http, method, path, caller)
                known = PRINCIPALS.get(caller)
                if known is None:
                    expected = answer.status_code == 401
                elif any(way <= known.scopes for way in ways):
                    expected = answer.status_code not in (401, 403)
                else:
                    asked = set(_asked_scopes(answer)) if answer.status_code == 403 else set()
                    expected = any(way <= asked for way in ways)
                if not expected:
                    wrong.append((method, path, caller, answer.status_code))
    assert wrong == []


def _asked_scopes(answer: httpx2.Response) -> list[str]:
    """The scopes that the refusal says are needed (RFC 6750)."""
    return answer.headers["www-authenticate"].partition('scope="')[2].rstrip('"').split(" ")


@pytest.mark.parametrize("service", PROCESSES)
async def test_methods_that_no_route_has_do_nothing_for_nobody(service: str) -> None:
    """405; or 401 where another route's placeholder takes the path, 415 where it takes forms only."""
    api = unserved_api(service, Bearers())
    told = await document_of(api)
    paths = {path: {method for method, other, _ in told if other == path} for _, path, _ in told}
    async with connected(api) as http:
        answers = {
            (method, path): (await call(http, method, path, NOBODY)).status_code
            for path, methods in paths.items()
            for method in set(METHODS) - methods
        }
    assert {cell: status for cell, status in answers.items() if status not in (401, 405, 415)} == {}
    assert 405 in answers.values()
