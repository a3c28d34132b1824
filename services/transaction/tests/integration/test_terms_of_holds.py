"""The terms of a hold belong to its record, its key and what the ledger is asked."""

import asyncio
import hashlib
import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts.messages import HoldPlaced
from testkit.waiting import eventually

from .conftest import Service, now


async def test_who_waits_for_an_authorisation_is_answered_once_it_is_held(service: Service) -> None:
    """200 and APPROVED; who waits for the payment itself, or for a void, is answered at its end."""
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=10"}
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR", "capture": "manual"}
    waiting = asyncio.create_task(service.api.post("/v1/payments", json=body, headers=headers))
    query = "SELECT id FROM payments WHERE idempotency_key = :k"
    found = await eventually(lambda: service.rows(query, k=headers["Idempotency-Key"]))
    payment_id = str(found[0].id)
    await service.assessed(payment_id)
    await service.hear(HoldPlaced(payment_id=UUID(payment_id), held_at=now(), expires_at=now()))
    answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (200, "APPROVED")
    reading = asyncio.create_task(
        service.api.get(f"/v1/payments/{payment_id}", headers={"Prefer": "wait=10"})
    )
    url = f"/v1/payments/{payment_id}/void"
    voiding = asyncio.create_task(
        service.api.post(url, json={"reason": "r"}, headers=headers | {"Idempotency-Key": uuid4().hex})
    )
    await eventually(lambda: service.sent(payment_id, "florin.void.requested.v1"))
    await service.hold_ended(payment_id, "voided", released_minor=1)
    for ended in (await reading, await voiding):
        assert (ended.status_code, ended.json()["status"]) == (200, "VOIDED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hold": {"expires_in_s": 60}}, "hold"),
        ({"hold": {"captured_many_times": True}}, "hold"),
        ({"hold": {"tolerance_minor": 1}}, "hold"),
        ({"if_version": 3}, "if_version"),
        ({"if_available_at_least_minor": 3}, "if_available_at_least_minor"),
    ],
)
async def test_terms_belong_to_what_a_key_stands_for(
    service: Service, change: dict[str, Any], field: str
) -> None:
    """The same key with other terms is refused, and the same terms again are a retry."""
    key = uuid4().hex
    await service.pay(key=key, capture="manual")
    changed = await service.pay(key=key, capture="manual", **change)
    assert (changed.status_code, changed.json()["errors"][0]["field"]) == (422, field)
    other = uuid4().hex
    first, second = [await service.pay(key=other, capture="manual", **change) for _ in range(2)]
    assert (first.json(), second.headers["Idempotency-Replayed"]) == (second.json(), "true")


async def test_a_retry_after_the_expiry_is_still_a_retry(service: Service) -> None:
    """An instant that was ahead then may be past now."""
    key, at = uuid4().hex, now() + timedelta(seconds=0.5)
    terms: dict[str, Any] = {"capture": "manual", "hold": {"expires_at": at.isoformat()}}
    first = await service.pay(key=key, **terms)
    assert first.status_code == 202, first.text
    await eventually(partial(_refused_as_late, service, terms))
    again = await service.pay(key=key, **terms)
    assert (again.status_code, again.json()) == (202, first.json())


async def _refused_as_late(service: Service, terms: dict[str, Any]) -> bool:
    late = await service.pay(**terms)
    refused: bool = late.status_code == 422
    return refused and late.json()["errors"][0]["code"] == "expiry_out_of_range"


async def test_terms_are_part_of_the_records_hash(service: Service) -> None:
    """As `domain/hashing.py` says, from what the API shows; a plain payment's form has no such field."""
    key = uuid4().hex
    answer = await service.pay(
        key=key, capture="manual", hold={"captured_many_times": True}, if_version=7, metadata={"k": "v"}
    )
    found = await service.get(answer.json()["id"])
    names = ("id", "kind", "debtor", "creditor", "amount_minor", "currency", "reference", "description")
    form = {name: found[name] for name in (*names, "metadata", "capture", "reverses", "terms", "created_at")}
    form |= {"client_id": "alpha", "idempotency_key": key}
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(f"florin-payment-v1\n{text}".encode()).hexdigest() == found["record_hash"]
    assert found["terms"]["conditions"] == {"version": 7, "available_at_least_minor": None}


async def test_conditions_go_to_the_ledger_and_the_actual_figures_come_back(service: Service) -> None:
    """REJECTED with the code; field and figures are read with the payment and told to its owner."""
    payment_id = await service.accepted(if_version=3, if_available_at_least_minor=500)
    await service.assessed(payment_id)
    (asked,) = await service.sent(payment_id, "florin.posting.requested.v1")
    assert asked["conditions"] == {"version": 3, "available_at_least_minor": 500}
    figures = {"version": 4, "asked_version": 3}
    await service.declined(payment_id, "condition_not_met", figures, field="conditions.version")
    found = await service.get(payment_id)
    assert (found["status"], found["reason"]) == ("REJECTED", "condition_not_met")
    assert found["refusal"] == {"code": "condition_not_met", "field": "if_version", "figures": figures}
    (told,) = await service.sent(payment_id, "florin.payment.rejected.v1")
    assert (told["reason"], told["field"], told["figures"]) == ("condition_not_met", "if_version", figures)
