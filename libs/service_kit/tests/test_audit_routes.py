"""Auditors read the log of their own client, and are written down in it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from service_kit.audit import Entry, Origin, record
from service_kit.audit.routes import AuditParts, audit_routes
from service_kit.audit.sealing import seal
from service_kit.auth import Client, Unauthenticated
from service_kit.cursors import encode_cursor
from service_kit.database import Database
from service_kit.http import create_app
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERSON = "person:00000000-0000-0000-0000-000000000007"


class Bearers:
    """Takes `<client>` for its auditor, a person, and `<client>.key` for a key that may not audit."""

    def authenticate(self, bearer: str) -> Client:
        client, _, key = bearer.partition(".")
        if key:
            return Client(client, frozenset({"accounts:read"}), "key:abcdefgh")
        if not client.startswith("c-"):
            raise Unauthenticated("unknown")
        return Client(client, frozenset({"audit:read"}), "token:1", PERSON)

    async def ask_for_news(self) -> None: ...


@pytest.fixture
async def database(database_for: Callable[[str], ServiceDatabase]) -> AsyncIterator[Database]:
    made = Database(database_for("fraud").app_url)
    yield made
    await made.close()


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    parts = AuditParts(database, StillClock(NOON + timedelta(hours=1)))
    app = create_app(
        service="fraud", title="Audit", version="1", api_keys=Bearers(), routers=[audit_routes(parts)]
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def ask(http: httpx2.AsyncClient, client: str, query: str = "") -> httpx2.Response:
    headers = {"authorization": f"Bearer {client}", "x-request-id": "0" * 32}
    return await http.get(f"/v1/audit{query}", headers=headers)


async def read(http: httpx2.AsyncClient, client: str, query: str = "") -> list[Any]:
    answer = await ask(http, client, query)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def write(
    database: Database, by: str, *subjects: str, at: datetime = NOON, of: str | None = None, **fields: Any
) -> None:
    facts: dict[str, Any] = {"action": "account.state-changed", "subject_type": "account"} | fields
    entries = [Entry(subject=subject, client_id=of, **facts) for subject in subjects]
    async with database.transaction() as connection:
        await record(connection, Origin(client_id=by, actor=f"client:{by}"), *entries, at=at)


async def test_the_log_is_told_newest_first_and_page_by_page(
    http: httpx2.AsyncClient, database: Database
) -> None:
    """The readings that go on meanwhile, which are newer, move nothing."""
    await write(database, "c-pages", *(f"s-{n}" for n in range(5)))
    found, cursor = [], ""
    while True:
        answer = await ask(http, "c-pages", f"?limit=2&action=account.state-changed{cursor}")
        page = answer.json()
        found += [item["subject"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["s-4", "s-3", "s-2", "s-1", "s-0"]


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("action=limits.set", ["two"]),
        ("subject=one", ["one"]),
        ("actor=client:c-filters", ["two", "one"]),
        ("actor=client:c-others", []),
        ("from=2026-11-20T12:00:00Z&to=2026-11-20T12:00:01Z", ["one"]),
        ("from=2026-11-20T12:00:01Z&to=2026-11-20T12:00:01Z", []),
        ("from=2026-11-20T12:00:01Z&action=limits.set", ["two"]),
    ],
)
async def test_filters_narrow_the_log(
    http: httpx2.AsyncClient, database: Database, query: str, subjects: list[str]
) -> None:
    if not await read(http, "c-filters", "?subject=one"):
        await write(database, "c-filters", "one")
        later = NOON + timedelta(seconds=1)
        await write(database, "c-filters", "two", at=later, action="limits.set")
    assert [item["subject"] for item in await read(http, "c-filters", f"?{query}")] == subjects


async def test_reading_is_itself_written_down(http: httpx2.AsyncClient, database: Database) -> None:
    await write(database, "c-watched", "one")
    await read(http, "c-watched", "?subject=one&from=2026-11-20T00:00:00Z")
    (entry,) = await read(http, "c-watched", "?action=audit.read")
    assert {name: entry[name] for name in ("actor", "credential", "subject", "address", "request_id")} == {
        "actor": PERSON,
        "credential": "token:1",
        "subject": "c-watched",
        "address": "192.0.2.9",
        "request_id": "0" * 32,
    }
    assert len(entry["trace_id"]) == 32
    assert entry["after"] == {
        "subject": "one",
        "from": "2026-11-20T00:00:00.000000Z",
        "limit": 50,
        "count": 1,
    }


async def test_a_client_sees_its_own_log_only(http: httpx2.AsyncClient, database: Database) -> None:
    await write(database, "c-mine", "mine")
    await write(database, "c-theirs", "theirs", "more of theirs")
    assert [item["subject"] for item in await read(http, "c-mine")] == ["mine"]
    theirs = await ask(http, "c-theirs", "?limit=1")
    with_their_cursor = await ask(http, "c-mine", f"?cursor={theirs.json()['next_cursor']}")
    assert {item["client_id"] for item in with_their_cursor.json()["items"]} <= {"c-mine"}
    assert await read(http, "c-mine", "?subject=theirs") == []


async def test_what_staff_do_to_a_clients_things_is_in_the_log_of_both(
    http: httpx2.AsyncClient, database: Database
) -> None:
    await write(database, "c-staff", "a key", of="c-customer")
    for reader in ("c-staff", "c-customer"):
        (told,) = await read(http, reader, "?subject=a+key")
        assert (told["client_id"], told["by_client_id"]) == ("c-customer", "c-staff")
    assert await read(http, "c-nobody", "?subject=a+key") == []


async def test_an_entry_tells_its_place_in_the_chain_once_it_has_one(
    http: httpx2.AsyncClient, database: Database
) -> None:
    await write(database, "c-sealed", "one")
    (told,) = await read(http, "c-sealed", "?subject=one")
    assert (told["position"], told["hash"]) == (None, None)
    async with database.transaction() as connection:
        await seal(connection, "fraud", at=NOON)
    (told,) = await read(http, "c-sealed", "?subject=one")
    assert told["position"] > 0
    assert len(told["hash"]) == 64


@pytest.mark.parametrize("bearer", ["c-1.key", "stranger"])
async def test_who_may_not_audit_reads_nothing(http: httpx2.AsyncClient, bearer: str) -> None:
    assert (await ask(http, bearer)).status_code in (401, 403)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("subject=%01", "subject"),
        ("actor=", "actor"),
        ("action=" + "a" * 301, "action"),
        ("from=yesterday", "from"),
        ("from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", "query"),
        ("limit=0", "limit"),
        ("subjects=one", "subjects"),
        ("subject=a&subject=b", "subject"),
    ],
)
async def test_a_bad_filter_is_refused(http: httpx2.AsyncClient, query: str, field: str) -> None:
    answer = await ask(http, "c-1", f"?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "position",
    [
        "2026-11-20T12:00:00 1",
        "2026-11-20T12:00:00+00:00 -1",
        "2026-11-20T12:00:00+00:00 9223372036854775808",
        "2026-11-20T12:00:00+00:00",
        "9999-12-31T23:59:59-23:59 1",
        "0001-01-01T00:00:00+23:59 1",
        "",
    ],
)
async def test_a_forged_cursor_is_refused(http: httpx2.AsyncClient, position: str) -> None:
    answer = await ask(http, "c-1", f"?cursor={encode_cursor('audit', position)}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
