"""A dry run: one answer from everybody who would decide, and nothing changed."""

import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from .conftest import Service

LEDGER = {
    "outcome": "completed",
    "balance_after": {"debtor": {"available_minor": 50}, "creditor": {"available_minor": 150}},
    "limits": [{"limit": "daily_sum", "left_minor": 10}],
}
DECLINED = {"outcome": "declined", "code": "limit_exceeded", "field": "amount_minor", "figures": {"limit": 5}}
APPROVE = {"decision": "approve", "score": 3, "reasons": [], "rules_version": 7}
TABLES = ("payments", "payment_events", "payment_states", "outbox", "payment_metadata")


async def attempt(service: Service, *, client: httpx2.AsyncClient | None = None, **changes: Any) -> Any:
    """POST a dry run, without a key; returns the response."""
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1250, "currency": "EUR"} | changes
    return await (client or service.api).post("/v1/payments", params={"dry_run": "true"}, json=body)


@pytest.mark.parametrize(
    ("account", "fraud", "outcome", "codes"),
    [
        (LEDGER, APPROVE, "SETTLED", []),
        (LEDGER | {"outcome": "held"}, APPROVE, "APPROVED", []),
        (LEDGER, APPROVE | {"decision": "review", "reasons": ["large"]}, "REVIEW", []),
        (DECLINED, APPROVE, "REJECTED", ["limit_exceeded"]),
        (DECLINED | {"field": "conditions.version"}, APPROVE, "REJECTED", ["limit_exceeded"]),
        (DECLINED, APPROVE | {"decision": "decline"}, "REJECTED", ["screening_declined", "limit_exceeded"]),
        (DECLINED, None, "REJECTED", ["limit_exceeded"]),
        (503, APPROVE | {"decision": "decline"}, "REJECTED", ["screening_declined"]),
        (LEDGER, 503, "UNKNOWN", []),
    ],
)
async def test_the_answers_are_put_together(
    service: Service, account: Any, fraud: Any, outcome: str, codes: list[str]
) -> None:
    """One refusal is enough to know the end; any other end needs both."""
    service.neighbours.account, service.neighbours.fraud = account, fraud
    answer = await attempt(service)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["dry_run"], told["outcome"], told["codes"]) == (True, outcome, codes)
    if isinstance(account, dict):
        assert told["ledger"]["figures"] == account.get("figures")
        expected = str(account.get("field")).replace("conditions.", "if_")
        assert str(told["ledger"]["field"]) == expected
        assert told["ledger"]["balance_after"] == account.get("balance_after")
        assert told["ledger"]["limits"] == account.get("limits", [])
    if isinstance(fraud, dict):
        assert told["screening"] == fraud


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, "timeout"),
        (httpx2.ConnectError("refused"), "unreachable"),
        (httpx2.ReadTimeout("slow"), "timeout"),
        (401, "status_401"),
        (500, "status_500"),
        (b"{", "malformed_answer"),
        (b"[]", "malformed_answer"),
        (b'{"outcome":"perhaps"}', "malformed_answer"),
        (b'"' + b"x" * 70_000 + b'"', "malformed_answer"),
    ],
)
async def test_a_part_that_does_not_answer_is_told_as_unknown(
    service: Service, fault: Any, reason: str
) -> None:
    """With its reason, within the deadline, beside what the other one says."""
    service.neighbours.account, service.neighbours.fraud = fault, APPROVE
    told = (await attempt(service)).json()
    assert told["unknown"] == [{"part": "ledger", "reason": reason}]
    assert (told["outcome"], told["ledger"], told["screening"]) == ("UNKNOWN", None, APPROVE)


async def test_each_is_asked_as_the_service_about_this_clients_payment(service: Service) -> None:
    """With the service's own key and the payment's facts; conditions and capture go to the ledger."""
    service.neighbours.account, service.neighbours.fraud = LEDGER, APPROVE
    await attempt(service, capture="manual", hold={"tolerance_minor": 9}, if_version=4, client=service.other)
    facts = {"client_id": "beta", "kind": "transfer", "debtor": "A", "creditor": "B"}
    facts_sent = facts | {"amount_minor": 1250, "currency": "EUR"}
    asked = {name: json.loads(request.content) for name, request in service.neighbours.asked.items()}
    conditions = {"version": 4, "available_at_least_minor": None}
    terms = {"capture": "manual", "tolerance_minor": 9, "conditions": conditions}
    assert asked["account"] == facts_sent | terms
    assert asked["fraud"] == facts_sent
    for request in service.neighbours.asked.values():
        assert request.headers["authorization"] == "Bearer flk_service"
        assert request.url.path == "/v1/dry-runs"


async def test_nothing_is_changed(service: Service) -> None:
    """No row anywhere, and a key that was sent along is not used up."""
    service.neighbours.account, service.neighbours.fraud = LEDGER, APPROVE

    async def counted() -> list[int]:
        return [await service.scalar(f"SELECT count(*) FROM {table}") for table in TABLES]

    before, key = await counted(), uuid4().hex
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR", "metadata": {"a": "b"}}
    answer = await service.api.post("/v1/payments?dry_run=true", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 200
    assert await counted() == before
    assert "Idempotency-Replayed" not in (await service.pay(key=key)).headers


async def test_what_the_real_thing_refuses_the_dry_run_refuses_alike(service: Service) -> None:
    """The same problems, to the byte but for the trace."""
    for change in ({"amount_minor": 0}, {"creditor": "A"}, {"creditor": {"email": "no@body.example"}}):
        real, tried = await service.pay(**change), await attempt(service, **change)
        assert real.status_code == tried.status_code == 422
        assert real.json() | {"trace_id": None} == tried.json() | {"trace_id": None}


async def test_only_a_dry_run_may_be_without_a_key(service: Service) -> None:
    """A payment needs one, whatever the query says otherwise."""
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR"}
    for query in ("", "?dry_run=false", "?dry_run=0"):
        answer = await service.api.post(f"/v1/payments{query}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    odd = await service.api.post("/v1/payments?dry_run=maybe", json=body)
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (422, "dry_run")
