"""Only a good key passes, only with the scope, and no route is open by neglect."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, Depends
from service_kit.access import ROLES, SCOPES, Role, scopes_of
from service_kit.auth import (
    FRESH,
    ApiKeys,
    Client,
    InvalidKeysFile,
    Unauthenticated,
    key_digest,
    requires,
    requires_one_of,
)
from service_kit.http import create_app
from service_kit.protection import Unprotected, assert_all_routes_protected
from testkit.clocks import StillClock

from .sample_api import PEPPER, Sample, api_key, make_sample

Call = Callable[..., Awaitable[httpx2.Response]]

GOOD = api_key("abcdefgh")
BAD_AUTHORIZATIONS = [
    "",
    "Bearer",
    "Bearer ",
    f"Basic {GOOD}",
    GOOD,
    "Bearer flk_abcdefgh_" + "x" * 43,
    "Bearer flk_zzzzzzzz_" + "k" * 43,
    "Bearer " + "k" * 5_000,
    f"Bearer {GOOD}x",
    f"Bearer {GOOD[:-1]}",
    "Bearer flk_abcdefgh_é",
]


@pytest.mark.parametrize("authorization", BAD_AUTHORIZATIONS)
async def test_a_bad_key_gets_401_and_reaches_nothing(call: Call, sample: Sample, authorization: str) -> None:
    headers = {"authorization": authorization}
    answer = await call("POST", "/v1/payments", json={"debtor": "a", "amount_minor": 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert sample.reached == []


async def test_a_key_without_the_scope_gets_403(call: Call, sample: Sample) -> None:
    headers = {"authorization": f"Bearer {api_key('readerzz')}"}
    answer = await call("POST", "/v1/payments", json={"debtor": "a", "amount_minor": 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "payments:write" in answer.json()["detail"]
    challenge = 'Bearer realm="florin", error="insufficient_scope", scope="payments:write"'
    assert answer.headers["www-authenticate"] == challenge
    assert sample.reached == []


async def test_a_good_key_tells_who_calls_before_the_body_is_judged(call: Call) -> None:
    assert (await call("POST", "/v1/payments", json={}, headers={"authorization": None})).status_code == 401
    answer = await call("POST", "/v1/payments", json={"debtor": "a", "amount_minor": 1})
    assert answer.json()["client"] == "demo"


def test_a_route_without_requires_is_named() -> None:
    sample = make_sample()
    assert_all_routes_protected(sample.app)
    forgotten = APIRouter()

    @forgotten.get("/v1/forgotten")
    async def read_forgotten() -> None: ...

    nested = APIRouter(prefix="/v1/nested")
    nested.include_router(forgotten)
    sample.app.include_router(nested)
    with pytest.raises(Unprotected, match="/v1/nested/v1/forgotten"):
        assert_all_routes_protected(sample.app)


@pytest.mark.parametrize("scopes", [(), ("payments:steal",)])
def test_requires_refuses_a_scope_that_does_not_exist(scopes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="scope"):
        requires(*scopes)


@dataclass
class Whoever:
    """Takes every bearer for one client."""

    client: Client

    def authenticate(self, bearer: str) -> Client:
        return self.client

    async def ask_for_news(self) -> None: ...


async def ask_to_unlock(client: Client, clock: StillClock) -> httpx2.Response:
    """The answer to a request that asks for a fresh second factor."""
    router = APIRouter()

    @router.post("/unlock", dependencies=[Depends(requires("accounts:write", fresh=True))])
    async def unlock() -> None: ...

    app = create_app(
        service="t", title="t", version="1", api_keys=Whoever(client), routers=[router], clock=clock
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://t") as http:
        return await http.post("/unlock", headers={"authorization": "Bearer x"})


AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERSON = Client("demo", frozenset({"accounts:write"}), "token:1", f"person:{UUID(int=7)}")


@pytest.mark.parametrize("shown_at", [None, AT - FRESH - timedelta(seconds=1)])
async def test_a_person_must_have_shown_a_second_factor_just_now(shown_at: datetime | None) -> None:
    answer = await ask_to_unlock(replace(PERSON, second_factor_at=shown_at), StillClock(AT))
    assert (answer.status_code, answer.json()["code"]) == (401, "insufficient_user_authentication")
    challenge = 'error="insufficient_user_authentication", max_age="300"'
    assert answer.headers["www-authenticate"] == f'Bearer realm="florin", {challenge}'


@pytest.mark.parametrize(
    "client", [replace(PERSON, second_factor_at=AT - FRESH), Client("demo", PERSON.scopes)]
)
async def test_a_fresh_second_factor_passes_and_a_system_passes_by_scope(client: Client) -> None:
    assert (await ask_to_unlock(client, StillClock(AT))).status_code == 200


def test_roles_are_made_of_scopes_that_exist_and_none_decides_what_it_proposes() -> None:
    assert scopes_of(Role) <= SCOPES.keys()
    for role, scopes in ROLES.items():
        proposes = not scopes.isdisjoint({"proposals:write", "payments:write", "accounts:adjust"})
        decides = not scopes.isdisjoint({"proposals:decide", "payments:approve"})
        assert not (proposes and decides), role
        # What loosens by itself, or sees other clients, is for systems alone.
        assert scopes.isdisjoint({"limits:write", "reviews:any-client"}), role


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ({"payments:read"}, 403),
        ({"payments:write"}, 200),
        ({"proposals:write"}, 200),
        ({"payments:write", "proposals:write"}, 200),
    ],
)
async def test_any_one_of_several_scopes_lets_in(scopes: set[str], status: int) -> None:
    """And a refusal names them all."""
    router = APIRouter()

    @router.post("/doors")
    async def open_door(
        client: Annotated[Client, Depends(requires_one_of("proposals:write", "payments:write"))],
    ) -> str:
        return client.id

    bearer = Whoever(Client("demo", frozenset(scopes)))
    app = create_app(service="doors", title="Doors", version="1", api_keys=bearer, routers=[router])
    assert_all_routes_protected(app)
    described = app.openapi()["paths"]["/doors"]["post"]
    assert described["security"] == [{"ApiKey": ["proposals:write"]}, {"ApiKey": ["payments:write"]}]
    assert "Scopes: proposals:write or payments:write." in described["description"]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://doors") as http:
        answer = await http.post("/doors", headers={"authorization": "Bearer any"})
    assert answer.status_code == status
    if status == 403:
        asked = answer.headers["www-authenticate"].partition('scope="')[2].rstrip('"')
        assert asked.split(" ") == ["payments:write", "proposals:write"]
        assert answer.json()["detail"] == (
            "The credential lacks the scope proposals:write or payments:write."
        )


def entry(**changes: object) -> dict[str, object]:
    digest = key_digest(GOOD, PEPPER).hex()
    return {"client": "demo", "prefix": "abcdefgh", "digest": digest, "scopes": ["payments:write"]} | changes


def test_a_keys_file_opens_to_its_keys_only_under_its_pepper(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [entry()]}))
    client = ApiKeys.load(file, PEPPER.decode()).authenticate(GOOD)
    assert client == Client("demo", frozenset({"payments:write"}), "key:abcdefgh", "client:demo")
    with pytest.raises(Unauthenticated):
        ApiKeys.load(file, "another pepper altogether").authenticate(GOOD)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not json", "malformed"),
        (json.dumps({"keys": [entry(digest="00")]}), "malformed at: keys.0.digest"),
        (json.dumps({"keys": [entry(), entry(client="other")]}), "same prefix"),
        (json.dumps({"keys": [entry(scopes=["payments:all"])]}), "payments:all"),
    ],
)
def test_a_bad_keys_file_is_refused_with_its_place(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(InvalidKeysFile, match=complaint) as refused:
        ApiKeys.load(file, "a pepper of sixteen")
    assert key_digest(GOOD, PEPPER).hex() not in str(refused.value)


def test_a_missing_keys_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidKeysFile, match=r"nowhere\.json"):
        ApiKeys.load(tmp_path / "nowhere.json", "a pepper of sixteen")
