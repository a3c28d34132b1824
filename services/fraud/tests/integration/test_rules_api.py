"""Rules over HTTP: versions are only ever added, on top of what their author has seen."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from contracts.messages import PaymentInitiated
from messaging.event import Event
from service_kit.protection import assert_all_routes_protected
from testkit.waiting import eventually

MakePayment = Callable[..., Event[PaymentInitiated]]
RULE = {
    "id": "a", "kind": "amount", "enabled": True, "action": "review", "score": 40,
    "at_or_over_minor": {"EUR": 500},
}  # fmt: skip


@pytest.fixture
async def analyst(as_caller: Callable[[str], Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with as_caller("analyst") as http:
        yield http


@pytest.fixture
async def current(analyst: httpx2.AsyncClient) -> int:
    """The version that is current when the test begins."""
    return int((await analyst.get("/v1/rules")).json()["version"])


def body(based_on: int, *rules: dict[str, Any], reason: str = "Tighter") -> dict[str, Any]:
    return {"based_on_version": based_on, "reason": reason, "rules": list(rules or (RULE,))}


async def test_published_rules_are_current_and_decide_what_comes_after(
    fraud: Any, analyst: httpx2.AsyncClient, current: int, make_payment: MakePayment
) -> None:
    before = make_payment(amount_minor=600)
    await fraud.deliver(before)
    answer = await analyst.put("/v1/rules", json=body(current))
    assert answer.status_code == 200
    published = answer.json()
    assert published.items() >= {
        "version": current + 1, "based_on_version": current, "author": "client:analyst", "reason": "Tighter",
        "rules": [RULE],
    }.items()  # fmt: skip
    assert (await analyst.get("/v1/rules")).json() == published
    assert (await analyst.get(f"/v1/rules/{current + 1}")).json() == published
    after = make_payment(amount_minor=600)
    await fraud.deliver(after)
    decided = [await fraud.decision(event) for event in (before, after)]
    assert [row.decision for row in decided] == ["approve", "review"]
    assert [row.rules_version for row in decided] == [current, current + 1]


async def test_every_kind_of_rule_is_kept_as_it_was_sent(analyst: httpx2.AsyncClient, current: int) -> None:
    rules: list[dict[str, Any]] = [
        RULE,
        {"id": "n", "kind": "velocity_count", "enabled": False, "action": "review", "score": 1,
         "window_s": 60, "max_count": 5},
        {"id": "s", "kind": "velocity_sum", "enabled": True, "action": "decline", "score": 2,
         "window_s": 3600, "currency": "JPY", "max_sum_minor": 5},
        {"id": "d", "kind": "deny_list", "enabled": True, "action": "decline", "score": 3,
         "entries": [{"client_id": None, "account": "A"}, {"client_id": "bank", "account": "Ü 1"}]},
    ]  # fmt: skip
    assert (await analyst.put("/v1/rules", json=body(current, *rules))).status_code == 200
    assert (await analyst.get("/v1/rules")).json()["rules"] == rules


async def test_who_has_not_seen_the_current_version_is_refused_and_told(
    analyst: httpx2.AsyncClient, current: int, as_caller: Callable[[str], Any]
) -> None:
    await analyst.put("/v1/rules", json=body(current))
    async with as_caller("second-analyst") as second:
        refused = await second.put("/v1/rules", json=body(current))
    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["code"], problem["current_version"]) == ("rules_version_conflict", current + 1)
    assert str(current + 1) in problem["detail"]
    future = await analyst.put("/v1/rules", json=body(current + 100))
    assert future.json()["code"] == "rules_version_conflict"


async def test_same_publication_again_is_replayed(analyst: httpx2.AsyncClient, current: int) -> None:
    first = await analyst.put("/v1/rules", json=body(current, reason="Once"))
    again = await analyst.put("/v1/rules", json=body(current, reason="Once"))
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (await analyst.put("/v1/rules", json=body(current, reason="Twice"))).status_code == 409


async def test_of_twenty_analysts_at_once_one_publishes(analyst: httpx2.AsyncClient, current: int) -> None:
    # With a connection each at hand, so that they really meet.
    await asyncio.gather(*(analyst.get("/v1/rules") for _ in range(20)))
    answers = await asyncio.gather(
        *(analyst.put("/v1/rules", json=body(current, reason=f"Mine {n}")) for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert (await analyst.get("/v1/rules")).json()["version"] == current + 1


async def test_rules_change_while_batches_are_screened_and_every_decision_names_its_own(
    fraud: Any, analyst: httpx2.AsyncClient, current: int, make_payment: MakePayment
) -> None:
    """Velocity is switched on in the middle: whoever was screened before is in the rebuilt counters."""
    debtor = f"d-{uuid4().hex}"
    rule = {"id": "n", "kind": "velocity_count", "enabled": True, "action": "review", "score": 1,
            "window_s": 3600, "max_count": 10**9}  # fmt: skip
    now = fraud.clock.now()
    batches = [[make_payment(debtor=debtor, created_at=now) for _ in range(10)] for _ in range(12)]

    async def publish() -> httpx2.Response:
        return await analyst.put("/v1/rules", json=body(current, rule))

    answer, _ = await asyncio.gather(publish(), fraud.deliver_concurrently(batches))
    assert answer.status_code == 200
    counted = await fraud.rows("SELECT sum(payments) AS n FROM velocity_counters WHERE debtor = :d", d=debtor)
    assert int(counted[0].n) == 120
    decided = await fraud.rows("SELECT rules_version, velocity FROM decisions WHERE debtor = :d", d=debtor)
    assert {row.rules_version for row in decided} <= {current, current + 1}
    measured = sorted(row.velocity["n"] for row in decided if row.rules_version == current + 1)
    assert measured == list(range(120 - len(measured) + 1, 121))


async def test_publishing_waits_for_the_batch_in_progress(
    fraud: Any, analyst: httpx2.AsyncClient, current: int, make_payment: MakePayment
) -> None:
    """What is not committed cannot be counted; a window rebuilt without it would miss it for ever."""
    debtor = f"d-{uuid4().hex}"
    rule = {"id": "w", "kind": "velocity_count", "enabled": True, "action": "review", "score": 1,
            "window_s": 7200, "max_count": 10**9}  # fmt: skip
    events = [make_payment(debtor=debtor, created_at=fraud.clock.now()) for _ in range(5)]

    async def waits() -> bool:
        locks = await fraud.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(locks) or publishing.done()

    async with fraud.database.transaction() as connection:
        await fraud.handler(connection, events)
        publishing = asyncio.create_task(analyst.put("/v1/rules", json=body(current, rule)))
        waited: bool = await eventually(waits)
        assert waited
        assert not publishing.done()
    assert (await publishing).status_code == 200
    counted = await fraud.rows(
        "SELECT payments FROM velocity_counters WHERE debtor = :d AND window_s = 7200", d=debtor
    )
    assert [row.payments for row in counted] == [5]


async def test_history_pages_newest_first(analyst: httpx2.AsyncClient, current: int) -> None:
    for n in range(3):
        await analyst.put("/v1/rules", json=body(current + n, reason=f"Step {n}"))
    versions: list[int] = []
    query = "?limit=2"
    while query:
        page = (await analyst.get(f"/v1/rules/versions{query}")).json()
        versions += [item["version"] for item in page["items"]]
        query = f"?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert versions == list(range(current + 3, 0, -1))
    last = (await analyst.get("/v1/rules/versions?limit=1")).json()["items"][0]
    assert last["reason"] == "Step 2"
    assert last["rule_count"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"score": 1.0}, "score"), ({"score": "40"}, "score"), ({"score": True}, "score"),
        ({"enabled": 1}, "enabled"), ({"action": "approve"}, "action"), ({"kind": "magic"}, ""),
        ({"id": "A b"}, "id"), ({"extra": 1}, "extra"),
        *(({"at_or_over_minor": thresholds}, "at_or_over_minor") for thresholds in (
            {}, {"EUR": 0}, {"EUR": 1e30}, {"EUR": 10**30}, {"XXX": 1}, {"eur": 1},
        )),
    ],
)  # fmt: skip
async def test_unsound_rules_are_refused_by_field_and_change_nothing(
    analyst: httpx2.AsyncClient, current: int, change: dict[str, Any], field: str
) -> None:
    refused = await analyst.put("/v1/rules", json=body(current, RULE | change))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["field"].startswith("rules.0")
    assert field in refused.json()["errors"][0]["field"]
    assert (await analyst.get("/v1/rules")).json()["version"] == current


@pytest.mark.parametrize(
    "sent",
    [
        "{}", "[]", "null", "", '{"based_on_version":1}', '{"based_on_version":"1","reason":"r","rules":[]}',
        '{"based_on_version":0,"reason":"r","rules":[]}', '{"based_on_version":NaN,"reason":"r","rules":[]}',
        '{"based_on_version":1,"reason":"\\u0000","rules":[]}',
        '{"based_on_version":1,"reason":"\\ud800","rules":[]}',
        '{"based_on_version":1,"based_on_version":2,"reason":"r","rules":[]}', "[" * 500,
        '{"based_on_version":99999999999999999999,"reason":"r","rules":[]}',
        '{"based_on_version":1,"reason":"r","rules":[],"version":9,"author":"x"}',
    ],
)  # fmt: skip
async def test_bad_bodies_never_are_our_fault(analyst: httpx2.AsyncClient, current: int, sent: str) -> None:
    refused = await analyst.put("/v1/rules", content=sent, headers={"content-type": "application/json"})
    assert 400 <= refused.status_code < 500
    assert refused.json()["code"]
    assert (await analyst.get("/v1/rules")).json()["version"] == current


async def test_the_largest_deny_list_is_taken_and_one_more_is_refused(
    analyst: httpx2.AsyncClient, current: int
) -> None:
    def deny(count: int) -> str:
        entries = [{"client_id": None, "account": f"account-{n}"} for n in range(count)]
        rule = {
            "id": "d",
            "kind": "deny_list",
            "enabled": True,
            "action": "decline",
            "score": 1,
            "entries": entries,
        }
        return json.dumps(body(current, rule))

    headers = {"content-type": "application/json"}
    refused = await analyst.put("/v1/rules", content=deny(10_001), headers=headers)
    assert refused.status_code == 422
    assert (await analyst.put("/v1/rules", content=deny(10_000), headers=headers)).status_code == 200


@pytest.mark.parametrize("version", ["0", "-1", "2147483648", "9" * 40, "x", "%00"])
async def test_versions_that_cannot_be_are_refused(analyst: httpx2.AsyncClient, version: str) -> None:
    assert (await analyst.get(f"/v1/rules/{version}")).status_code in {400, 404, 422}


async def test_version_that_never_was_is_absent(analyst: httpx2.AsyncClient) -> None:
    absent = await analyst.get("/v1/rules/2147483647")
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")
    assert (await analyst.get("/v1/rules/versions?cursor=x")).json()["code"] == "invalid_cursor"


async def test_rules_are_read_and_written_by_their_scopes(
    as_caller: Callable[[str], Any], current: int
) -> None:
    async with as_caller("reader") as reader, as_caller("bank") as bank, as_caller("") as nobody:
        assert (await reader.get("/v1/rules")).status_code == 200
        assert (await reader.put("/v1/rules", json=body(current))).status_code == 403
        for path in ("/v1/rules", "/v1/rules/1", "/v1/rules/versions"):
            assert (await bank.get(path)).status_code == 403
            assert (await nobody.get(path)).status_code == 401
        assert_all_routes_protected(nobody._transport.app)
