"""New rules, decisions on reviews, and looks at other clients' payments stand in the audit log."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
from fraud_service.app import make_api
from testkit.auditing import AuditLog, audited_routes

from .conftest import Callers

AsCaller = Callable[[str], Any]


async def test_new_rules_are_written_down_once(as_caller: AsCaller, log: AuditLog) -> None:
    async with as_caller("analyst") as http:
        standing = (await http.get("/v1/rules")).json()
        body = {"based_on_version": standing["version"], "reason": "Stricter", "rules": standing["rules"]}

        async def publish(headers: dict[str, str]) -> httpx2.Response:
            answer: httpx2.Response = await http.put("/v1/rules", json=body, headers=headers)
            return answer

        answer, [entry] = await log.of(publish)
        assert answer.status_code == 200, answer.text
        assert (await log.of(publish))[1] == []
    version = answer.json()["version"]
    told = {"action", "subject", "actor", "client_id", "before", "after", "reason"}
    assert {name: entry[name] for name in told} == {
        "action": "rules.published",
        "subject": str(version),
        "actor": "client:analyst",
        "client_id": "analyst",
        "before": {"version": version - 1},
        "after": {"version": version},
        "reason": "Stricter",
    }


async def test_a_decision_on_a_review_is_in_the_log_of_the_payments_client(
    operator: httpx2.AsyncClient, held: Any, log: AuditLog
) -> None:
    path = f"/v1/reviews/{held.data.payment_id}/decision"

    async def decide(headers: dict[str, str]) -> httpx2.Response:
        body = {"decision": "approve", "reason": "Known to us"}
        return await operator.post(path, json=body, headers=headers | {"idempotency-key": uuid4().hex})

    answer, [entry] = await log.of(decide)
    assert answer.status_code == 200, answer.text
    assert (entry["action"], entry["subject"]) == ("review.decided", str(held.data.payment_id))
    assert (entry["client_id"], entry["by_client_id"]) == ("bank", "operator")
    assert (entry["after"], entry["reason"]) == ({"decision": "approve"}, "Known to us")
    assert (await log.of(decide))[1] == []


async def test_looks_at_other_clients_payments_are_written_down(
    operator: httpx2.AsyncClient, bank: httpx2.AsyncClient, held: Any, log: AuditLog
) -> None:
    payment = str(held.data.payment_id)
    paths = {
        "/v1/reviews?limit=200": "reviews.listed",
        f"/v1/reviews/{payment}": "review.read",
        f"/v1/decisions/{payment}": "decision.read",
    }
    for path, action in paths.items():
        answer, [entry] = await log.of(partial(look, operator, path))
        assert answer.status_code == 200
        assert (entry["action"], entry["client_id"], entry["by_client_id"]) == (action, "bank", "operator")
        assert payment in entry["after"]["payments"]
        # Its own are no privilege.
        answer, entries = await log.of(partial(look, bank, path))
        assert (answer.status_code, entries) == (200, [])


async def look(http: httpx2.AsyncClient, path: str, headers: dict[str, str]) -> httpx2.Response:
    return await http.get(path, headers=headers)


async def test_reading_the_log_is_written_down(as_caller: AsCaller, log: AuditLog) -> None:
    async with as_caller("auditor") as http:
        answer, [entry] = await log.of(partial(look, http, "/v1/audit"))
    assert answer.status_code == 200
    assert entry["action"] == "audit.read"


def test_these_are_all_the_routes_that_write_it(fraud: Any, callers: Callers) -> None:
    api = make_api(fraud.database, callers.api_keys, fraud.clock)
    assert set(audited_routes(api)) == {
        ("PUT", "/v1/rules"),
        ("POST", "/v1/reviews/{payment_id}/decision"),
        ("GET", "/v1/reviews"),
        ("GET", "/v1/reviews/{payment_id}"),
        ("GET", "/v1/decisions/{payment_id}"),
        ("GET", "/v1/audit"),
    }
