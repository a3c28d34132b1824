"""Whatever changes something, and whoever opens what is personal, stands in the audit log."""

from typing import Any

import pytest
from testkit.auditing import AuditLog, audited_routes
from testkit.databases import ServiceDatabase

from .bank import Bank, name, terms
from .deeds import DEEDS
from .people import person


@pytest.fixture
def log(account_database: ServiceDatabase) -> AuditLog:
    return AuditLog(account_database.admin_url, "account")


@pytest.mark.parametrize("route", DEEDS, ids=" ".join)
async def test_a_deed_is_written_down(bank: Bank, log: AuditLog, route: tuple[str, str]) -> None:
    """Once: the same request again changes nothing. Reading again is reading."""
    done = await DEEDS[route](bank)
    key = name("key")

    async def send(headers: dict[str, str]) -> Any:
        return await bank.send(route[0], done.path, done.body, key=key, caller=done.caller, headers=headers)

    answer, entries = await log.of(send)
    assert answer.is_success, answer.text
    told = entries[0]
    assert told["action"] == done.action
    assert told["subject"] == done.subject or not done.subject
    assert told["credential"] == f"key:{bank.callers.keys[done.caller][4:12]}"
    assert (told["client_id"], told["by_client_id"], told["actor"]) == ("bank", "bank", "client:bank")
    assert told["address"] == "127.0.0.1"
    assert len(told["trace_id"]) == 32
    expected = done.fields or {}
    assert {field: told[field] for field in expected} == expected
    if route[0] != "GET":
        answer, entries = await log.of(send)
        assert answer.is_success, answer.text
        assert entries == []


async def test_each_account_of_a_batch_has_its_entry(bank: Bank, log: AuditLog) -> None:
    asked = [terms(), terms(), terms(currency="NONE")]

    async def send(headers: dict[str, str]) -> Any:
        return await bank.send("POST", "/v1/accounts/batches", {"accounts": asked}, headers=headers)

    _, entries = await log.of(send)
    assert [entry["subject"] for entry in entries] == [asked[0]["account"], asked[1]["account"]]


async def test_what_was_refused_is_not_written_down(bank: Bank, log: AuditLog) -> None:
    account = await bank.open()

    async def send(headers: dict[str, str]) -> Any:
        body = {"amount_minor": 5, "currency": "CZK"}
        path = f"/v1/accounts/{account}/withdrawals"
        return await bank.send("POST", path, body, caller="cashier", headers=headers)

    answer, entries = await log.of(send)
    assert (answer.status_code, entries) == (422, [])


async def test_nothing_personal_stands_in_the_log(bank: Bank, log: AuditLog) -> None:
    body = person(name="Xaver Unheard-Of")
    made = await bank.send("POST", "/v1/customers", body)
    path = f"/v1/customers/{made.json()['id']}"
    await bank.send("PATCH", path, {"name": "Xaver Heard-Of"}, key=None)
    await bank.send("POST", f"{path}/kyc", {"level": "basic", "reason": "Xaver's passport"}, key=None)
    await bank.open(holder="Xaver Elsewhere")
    for secret in ("Xaver", body["mobile"], body["email"]):
        assert await log.entries("strpos(audit_entries::text, $1) > 0", secret) == []


def test_every_route_that_is_told_whose_doing_it_is_is_tried_here(bank: Bank) -> None:
    assert set(audited_routes(bank.api)) == DEEDS.keys()
