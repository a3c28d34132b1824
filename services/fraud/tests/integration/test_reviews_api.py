"""Reviews over HTTP: seen by whom they concern, decided once, told in the same commit."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from contracts.messages import PaymentInitiated, ReviewResolved
from messaging.event import Event
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

MakePayment = Callable[..., Event[PaymentInitiated]]
APPROVE = {"decision": "approve", "reason": "Known payer"}
DECLINE = {"decision": "decline", "reason": "Unknown payer"}


async def decide(
    http: httpx2.AsyncClient, payment_id: Any, body: Any = None, *, key: str | None = None
) -> httpx2.Response:
    headers = {"idempotency-key": key or uuid4().hex}
    return await http.post(f"/v1/reviews/{payment_id}/decision", json=body or APPROVE, headers=headers)


async def test_review_is_read_then_decided_then_told(fraud: Any, held: Any, bank: httpx2.AsyncClient) -> None:
    payment_id = held.data.payment_id
    review = (await bank.get(f"/v1/reviews/{payment_id}")).json()
    assert (review["status"], review["resolution"], review["score"]) == ("open", None, 40)
    assert review["reasons"] == ["large-amount:amount"]
    assert review["payment"]["debtor"] == held.data.debtor
    assert review["payment"]["created_at"] == "2026-11-20T12:00:00Z"

    answer = await decide(bank, payment_id)
    assert answer.status_code == 200
    assert "idempotency-replayed" not in answer.headers
    resolved = answer.json()
    assert resolved["status"] == "resolved"
    assert resolved["resolution"].items() >= {**APPROVE, "resolved_by": "client:bank"}.items()
    assert (await bank.get(f"/v1/reviews/{payment_id}")).json() == resolved

    _, told = await fraud.told(payment_id)
    assert (told["type"], told["subject"], told["sequence"]) == (
        "florin.review.resolved.v1", str(payment_id), "2",
    )  # fmt: skip
    assert ReviewResolved.model_validate(told["data"]) == ReviewResolved(
        payment_id=payment_id, decision="approve", reason="Known payer", resolved_by="client:bank"
    )


async def test_same_request_again_is_replayed(fraud: Any, held: Any, bank: httpx2.AsyncClient) -> None:
    first = await decide(bank, held.data.payment_id, key="retry-me")
    again = await decide(bank, held.data.payment_id, key="retry-me")
    other_key = await decide(bank, held.data.payment_id, APPROVE | {"reason": "Me too"})
    assert again.json() == other_key.json() == first.json()
    assert again.headers["idempotency-replayed"] == other_key.headers["idempotency-replayed"] == "true"
    assert len(await fraud.told(held.data.payment_id)) == 2


async def test_other_decision_is_refused_and_names_the_outcome(
    fraud: Any, held: Any, bank: httpx2.AsyncClient, operator: httpx2.AsyncClient
) -> None:
    await decide(bank, held.data.payment_id)
    refused = await decide(operator, held.data.payment_id, DECLINE)
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["code"] == "review_already_resolved"
    assert problem["resolution"].items() >= {"decision": "approve", "resolved_by": "client:bank"}.items()
    assert len(await fraud.told(held.data.payment_id)) == 2


async def test_fifty_decisions_at_once_resolve_once(
    fraud: Any, held: Any, bank: httpx2.AsyncClient, operator: httpx2.AsyncClient
) -> None:
    """Half of them approve, half decline: one of all wins, and every answer agrees with it."""
    answers = await asyncio.gather(
        *(decide((bank, operator)[n % 2], held.data.payment_id, (APPROVE, DECLINE)[n % 2]) for n in range(50))
    )
    rows = await fraud.rows(
        "SELECT decision FROM review_resolutions WHERE payment_id = :id", id=held.data.payment_id
    )
    (won,) = [row.decision for row in rows]
    for n, answer in enumerate(answers):
        agrees = won == (APPROVE, DECLINE)[n % 2]["decision"]
        assert answer.status_code == (200 if agrees else 409)
        standing = answer.json()["resolution"]["decision"]
        assert standing == won
    fresh = [a for a in answers if a.status_code == 200 and "idempotency-replayed" not in a.headers]
    assert len(fresh) == 1
    assert len(await fraud.told(held.data.payment_id)) == 2


async def test_fifty_requests_with_one_key_are_one_decision(
    fraud: Any, held: Any, bank: httpx2.AsyncClient
) -> None:
    answers = await asyncio.gather(*(decide(bank, held.data.payment_id, key="one-key") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(await fraud.told(held.data.payment_id)) == 2


async def test_key_with_another_request_is_refused_and_names_the_field(
    fraud: Any, held: Any, make_payment: MakePayment, bank: httpx2.AsyncClient
) -> None:
    other = make_payment(amount_minor=1_000_000)
    await fraud.deliver(other)
    key = uuid4().hex
    await decide(bank, held.data.payment_id, key=key)
    for payment_id, body, field in [
        (other.data.payment_id, APPROVE, "payment_id"),
        (held.data.payment_id, DECLINE, "decision"),
        (held.data.payment_id, APPROVE | {"reason": "Other words"}, "reason"),
    ]:
        refused = await decide(bank, payment_id, body, key=key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert refused.json()["errors"][0]["field"] == field
    assert (await bank.get(f"/v1/reviews/{other.data.payment_id}")).json()["status"] == "open"


async def test_another_clients_key_is_another_key(
    fraud: Any, held: Any, make_payment: MakePayment, bank: httpx2.AsyncClient, as_caller: Any
) -> None:
    foreign = make_payment(amount_minor=1_000_000, client_id="other")
    await fraud.deliver(foreign)
    key = uuid4().hex
    assert (await decide(bank, held.data.payment_id, key=key)).status_code == 200
    async with as_caller("other") as other:
        assert (await decide(other, foreign.data.payment_id, DECLINE, key=key)).status_code == 200


async def test_foreign_payments_answer_as_absent_ones(
    fraud: Any, make_payment: MakePayment, bank: httpx2.AsyncClient, operator: httpx2.AsyncClient
) -> None:
    foreign = make_payment(amount_minor=1_000_000, client_id="other")
    await fraud.deliver(foreign)

    def without_trace(answer: httpx2.Response) -> dict[str, Any]:
        problem: dict[str, Any] = answer.json()
        return problem | {"trace_id": None}

    for path in ("/v1/reviews/{}", "/v1/decisions/{}"):
        seen = await bank.get(path.format(foreign.data.payment_id))
        absent = await bank.get(path.format(uuid4()))
        assert seen.status_code == 404
        assert without_trace(seen) == without_trace(absent)
        assert (await operator.get(path.format(foreign.data.payment_id))).status_code == 200
    refused = await decide(bank, foreign.data.payment_id)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    listed = await bank.get("/v1/reviews?limit=200")
    assert str(foreign.data.payment_id) not in listed.text
    assert str(foreign.data.payment_id) in (await operator.get("/v1/reviews?limit=200")).text
    assert (await decide(operator, foreign.data.payment_id)).status_code == 200


async def test_payment_not_held_has_no_review(
    fraud: Any, make_payment: MakePayment, bank: httpx2.AsyncClient
) -> None:
    event = make_payment()
    await fraud.deliver(event)
    assert (await decide(bank, event.data.payment_id)).status_code == 404
    decision = (await bank.get(f"/v1/decisions/{event.data.payment_id}")).json()
    assert (decision["decision"], decision["fired"], decision["velocity"]) == ("approve", [], {})


async def test_decision_explains_what_fired_and_why(
    fraud: Any, make_payment: MakePayment, bank: httpx2.AsyncClient
) -> None:
    event = make_payment(amount_minor=1_000_001, creditor="DENY-LISTED")
    await fraud.deliver(event)
    decision = (await bank.get(f"/v1/decisions/{event.data.payment_id}")).json()
    assert (decision["decision"], decision["score"], decision["rules_version"]) == ("decline", 100, 1)
    assert decision["fired"] == [
        {"rule_id": "large-amount", "kind": "amount", "action": "review", "score": 40,
         "observed": 1_000_001, "limit": 1_000_000, "party": None},
        {"rule_id": "denied-parties", "kind": "deny_list", "action": "decline", "score": 100,
         "observed": None, "limit": None, "party": "creditor"},
    ]  # fmt: skip


async def test_lists_page_through_every_review_once(
    fraud: Any, make_payment: MakePayment, as_caller: Callable[[str], Any]
) -> None:
    """Seven of one instant among them, so that the order cannot hang on time alone."""
    start = fraud.clock.now()
    expected = []
    for n in range(3):
        fraud.clock.at = start + timedelta(seconds=n)
        events = [make_payment(amount_minor=1_000_000, client_id="other") for _ in range(7)]
        await fraud.deliver(*events)
        expected += sorted(str(event.data.payment_id) for event in events)
    async with as_caller("other") as other:
        opened = [review["payment_id"] for review in await _all_pages(other, "open")]
        assert opened[-21:] == expected
        for n, payment_id in enumerate(expected):
            fraud.clock.at = start + timedelta(seconds=10 + n // 2)
            assert (await decide(other, payment_id)).status_code == 200
        resolved = [review["payment_id"] for review in await _all_pages(other, "resolved")]
        assert set(resolved[:21]) == set(expected)
        assert len(resolved) == len(set(resolved))
        assert resolved[0] == expected[-1]
        assert [review["payment_id"] for review in await _all_pages(other, "open")] == opened[:-21]


async def _all_pages(http: httpx2.AsyncClient, status: str) -> list[Any]:
    items: list[Any] = []
    query = f"?status={status}&limit=4"
    for _ in range(50):
        page = (await http.get(f"/v1/reviews{query}")).json()
        assert all(review["status"] == status for review in page["items"])
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query = f"?status={status}&limit=4&cursor={page['next_cursor']}"
    raise AssertionError("pages without end")


async def test_database_refuses_a_resolution_of_what_was_not_held(
    fraud: Any, make_payment: MakePayment
) -> None:
    """Not through the operation: the database itself keeps the rule."""
    approved, held = make_payment(), make_payment(amount_minor=1_000_000)
    await fraud.deliver(approved, held)
    insert = text("INSERT INTO review_resolutions VALUES (:id, :client, 'approve', 'r', 'x', :key, now())")
    for event, client in [(approved, "bank"), (held, "other")]:
        with pytest.raises(DBAPIError, match="was not held for review"):
            async with fraud.database.transaction() as connection:
                await connection.execute(
                    insert, {"id": event.data.payment_id, "client": client, "key": uuid4().hex}
                )
