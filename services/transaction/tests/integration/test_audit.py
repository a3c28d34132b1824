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

from .conftest import KEYS, Service


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
        ("GET", "/v1/audit"),
    }
