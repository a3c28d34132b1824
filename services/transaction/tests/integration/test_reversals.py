"""Giving back: a new payment, linked both ways, never more than the first one moved."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from testkit.databases import ServiceDatabase, connect

from .conftest import Service


async def reverse(service: Service, payment_id: str, *, key: str | None = None, **body: Any) -> Any:
    """POST a reversal; returns the response."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await service.api.post(f"/v1/payments/{payment_id}/reversals", json=body, headers=headers)


async def test_a_full_reversal_swaps_the_parties_and_links_both_ways(service: Service) -> None:
    """All that was moved goes back, as a payment with a life of its own."""
    original = await service.settled(amount_minor=700)
    answer = await reverse(service, original)
    assert answer.status_code == 202
    made = answer.json()
    assert (made["kind"], made["debtor"], made["creditor"], made["amount_minor"]) == (
        "reversal",
        "B",
        "A",
        700,
    )
    assert made["reverses"] == original
    found = await service.get(original)
    assert found["reversals"] == [made["id"]]
    assert found["reversed_minor"] == 700
    assert found["status"] == "SETTLED"


async def test_partial_reversals_never_pass_the_original(service: Service) -> None:
    """Three of 300 fit into 1,000; the fourth does not; a last one takes what is left."""
    original = await service.settled(amount_minor=1000)
    for _ in range(3):
        assert (await reverse(service, original, amount_minor=300)).status_code == 202
    refused = await reverse(service, original, amount_minor=300)
    assert (refused.status_code, refused.json()["code"]) == (409, "exceeds_original")
    assert "100 minor units" in refused.json()["detail"]
    assert (await reverse(service, original)).json()["amount_minor"] == 100
    assert (await reverse(service, original)).json()["code"] == "exceeds_original"


async def test_twenty_reversals_at_once_give_back_no_more_than_the_original(service: Service) -> None:
    """Ten of 100 fit into 1,000, whatever the race."""
    original = await service.settled(amount_minor=1000)
    answers = await asyncio.gather(*(reverse(service, original, amount_minor=100) for _ in range(20)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(202), codes.count(409)) == (10, 10)
    assert (await service.get(original))["reversed_minor"] == 1000


@pytest.mark.parametrize("taken_minor", [501, -1])
async def test_the_database_bounds_what_reversals_take(
    service: Service, transaction_database: ServiceDatabase, taken_minor: int
) -> None:
    """Whatever the code above it asks for: neither more than was moved nor less than nothing."""
    original = await service.settled(amount_minor=500)
    connection = await connect(transaction_database.app_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE payment_states SET reversed_minor = $2 WHERE payment_id = $1", original, taken_minor
            )
    finally:
        await connection.close()


async def test_a_rejected_reversal_gives_its_share_back(service: Service) -> None:
    """What the ledger refused may be reversed by another."""
    original = await service.settled(amount_minor=500)
    first = (await reverse(service, original)).json()["id"]
    assert (await reverse(service, original)).status_code == 409
    await service.assessed(first)
    await service.declined(first, "insufficient_funds")
    assert (await service.get(original))["reversed_minor"] == 0
    assert (await reverse(service, original)).status_code == 202


async def test_a_retried_reversal_is_replayed(service: Service) -> None:
    """Also when nothing would be left for a second one, and when the amount was left out."""
    original = await service.settled(amount_minor=500)
    key = uuid4().hex
    first, second = await reverse(service, original, key=key), await reverse(service, original, key=key)
    assert second.status_code == 202
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    other = await reverse(service, original, key=key, amount_minor=499)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "amount_minor")


async def test_a_key_that_made_a_payment_makes_no_reversal(service: Service) -> None:
    """One namespace of keys for all that moves money."""
    original = await service.settled()
    key = uuid4().hex
    await service.pay(key=key)
    refused = await reverse(service, original, key=key)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("state", ["PENDING", "REVIEW", "REJECTED"])
async def test_only_a_settled_payment_can_be_reversed(service: Service, state: str) -> None:
    """What has not moved cannot be given back."""
    payment_id = await service.accepted()
    if state == "REVIEW":
        await service.assessed(payment_id, "review")
    if state == "REJECTED":
        await service.assessed(payment_id, "decline")
    refused = await reverse(service, payment_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_settled")


async def test_a_reversal_cannot_be_reversed(service: Service) -> None:
    """A correction of a correction is a new payment."""
    reversal = (await reverse(service, await service.settled())).json()["id"]
    refused = await reverse(service, reversal)
    assert (refused.status_code, refused.json()["code"]) == (409, "reversal_of_reversal")


async def test_another_clients_payment_is_as_absent_as_one_that_never_was(service: Service) -> None:
    """The answers cannot be told apart, for reading and for reversing."""
    mine, headers = await service.settled(), {"Idempotency-Key": "k"}
    for path in ("/v1/payments/{}", "/v1/payments/{}/reversals"):
        answers = []
        for payment_id in (mine, str(uuid4())):
            url = path.format(payment_id)
            other = service.other
            answer = await (other.post(url, json={}, headers=headers) if "rev" in path else other.get(url))
            answers.append({k: v for k, v in answer.json().items() if k != "trace_id"})
        assert answers[0] == answers[1]
        assert answers[0]["code"] == "not_found"
