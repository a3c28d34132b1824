"""What is done to a payment that stands is in the audit log; making one is told by the payment itself."""

from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from service_kit.auth import ApiKeys
from testkit.auditing import AuditLog, audited_routes
from testkit.databases import ServiceDatabase
from transaction_service.app import make_api

from .conftest import KEYS, PEOPLE, Service


@pytest.fixture
def log(transaction_database: ServiceDatabase) -> AuditLog:
    return AuditLog(transaction_database.admin_url, "transaction")


async def post(service: Service, path: str, body: Any, key: str, headers: dict[str, str]) -> httpx2.Response:
    return await service.api.post(path, json=body, headers=headers | {"idempotency-key": key})


@pytest.mark.parametrize(
    ("state", "what", "body", "action", "reason"),
    [
        ("held", "captures", {"amount_minor": 100}, "payment.captured", None),
        ("held", "void", {"reason": "changed our mind"}, "payment.void-asked", "changed our mind"),
        ("settled", "reversals", {"amount_minor": 40}, "payment.reversed", None),
    ],
)
async def test_what_is_done_to_a_payment_is_written_down_once(
    service: Service, log: AuditLog, state: str, what: str, body: Any, action: str, reason: str | None
) -> None:
    payment = await getattr(service, state)()
    send = partial(post, service, f"/v1/payments/{payment}/{what}", body, uuid4().hex)
    answer, [entry] = await log.of(send)
    assert answer.status_code == 202, answer.text
    assert (entry["action"], entry["subject"], entry["reason"]) == (action, payment, reason)
    assert (entry["client_id"], entry["actor"]) == ("alpha", "client:alpha")
    assert entry["credential"] == f"key:{KEYS['alpha']}"
    if "amount_minor" in body:
        made = {"payment_id": answer.json()["id"], "currency": "EUR"}
        assert entry["after"] == made | {"amount_minor": body["amount_minor"]}
    assert (await log.of(send))[1] == []


async def test_a_reversal_limit_is_written_down_once(service: Service, log: AuditLog) -> None:
    body = {"currency": "SEK", "amount_minor": 100, "reason": "Policy 3"}

    async def send(headers: dict[str, str]) -> httpx2.Response:
        return await service.api.put("/v1/reversal-approval-limits", json=body, headers=headers)

    answer, [entry] = await log.of(send)
    assert answer.status_code == 200, answer.text
    assert (entry["action"], entry["subject"]) == ("reversal-limit.set", "SEK")
    assert (entry["after"]["amount_minor"], entry["reason"]) == (100, "Policy 3")
    assert (await log.of(send))[1] == []


@pytest.mark.parametrize(
    ("word", "actions"),
    [
        ("approval", ["payment.reversed", "proposal.approved"]),
        ("rejection", ["proposal.rejected"]),
        ("withdrawal", ["proposal.withdrawn"]),
    ],
)
async def test_each_word_about_a_reversal_is_written_down(
    service: Service, log: AuditLog, word: str, actions: list[str]
) -> None:
    body = {"kind": "reversal", "payment_id": await service.settled(), "amount_minor": 40, "reason": "R"}

    async def propose(headers: dict[str, str]) -> httpx2.Response:
        sent = headers | {"idempotency-key": uuid4().hex}
        return await service.people["maker"].post("/v1/proposals", json=body, headers=sent)

    answer, [made] = await log.of(propose)
    assert answer.status_code == 201, answer.text
    assert made["action"] == "proposal.made"

    async def end(headers: dict[str, str]) -> httpx2.Response:
        who = "maker" if word == "withdrawal" else "checker"
        path = f"/v1/proposals/{answer.json()['id']}/{word}"
        return await service.people[who].post(path, json={"reason": "Looked"}, headers=headers)

    ended, entries = await log.of(end)
    assert ended.status_code == 200, ended.text
    assert [entry["action"] for entry in entries] == actions
    assert {entry["actor"] for entry in entries} == {
        PEOPLE["maker" if word == "withdrawal" else "checker"].actor
    }


async def test_what_is_refused_is_not_written_down(service: Service, log: AuditLog) -> None:
    payment = await service.accepted()
    send = partial(post, service, f"/v1/payments/{payment}/reversals", {}, uuid4().hex)
    answer, entries = await log.of(send)
    assert (answer.status_code, entries) == (409, [])


async def test_making_a_payment_costs_no_entry(service: Service, log: AuditLog) -> None:
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1250, "currency": "EUR"}
    answer, entries = await log.of(partial(post, service, "/v1/payments", body, uuid4().hex))
    assert (answer.status_code, entries) == (202, [])


async def test_reading_the_log_is_written_down(service: Service, log: AuditLog) -> None:
    answer, [entry] = await log.of(lambda headers: service.api.get("/v1/audit", headers=headers))
    assert (answer.status_code, entry["action"]) == (200, "audit.read")


def test_these_are_all_the_routes_that_write_it(service: Service) -> None:
    assert set(audited_routes(make_api(service.parts, ApiKeys([], b"none")))) == {
        ("POST", "/v1/payments/{payment_id}/captures"),
        ("POST", "/v1/payments/{payment_id}/void"),
        ("POST", "/v1/payments/{payment_id}/reversals"),
        ("PUT", "/v1/reversal-approval-limits"),
        ("POST", "/v1/proposals"),
        ("POST", "/v1/proposals/{proposal_id}/approval"),
        ("POST", "/v1/proposals/{proposal_id}/rejection"),
        ("POST", "/v1/proposals/{proposal_id}/withdrawal"),
        ("GET", "/v1/audit"),
    }
