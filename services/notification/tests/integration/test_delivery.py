"""What a receiver sees, and what the record says of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from contracts.messages import (
    PaymentApproved,
    PaymentExpired,
    PaymentInReview,
    PaymentNotice,
    PaymentRejected,
    PaymentSettled,
    PaymentVoided,
)
from notification_service.domain.retry import MEAN_DELAYS_S
from standardwebhooks.webhooks import Webhook

from .receiver import Receiver
from .stage import Stage


async def test_settled_payment_arrives_signed_with_its_trace_and_sequence(
    stage: Stage, receiver: Receiver
) -> None:
    """The specification's own library accepts what is sent."""
    endpoint = await stage.register(receiver.url("/in?x=1"))
    event = stage.event()
    await stage.hear(event)
    assert await stage.worker().run_until_idle() == 1

    [request] = receiver.requests
    told = Webhook(endpoint["secret"]).verify(request.body, request.headers)
    assert request.path == "/in?x=1"
    assert told["type"] == "payment.settled"
    assert told["sequence"] == event.sequence
    assert told["data"] == {
        "payment_id": str(event.data.payment_id),
        "kind": "transfer",
        "status": "SETTLED",
        "reason": None,
        "debtor": "alice",
        "creditor": "bob",
        "amount_minor": 1250,
        "currency": "EUR",
        "reference": "invoice 7",
        "reverses": None,
        "created_at": told["timestamp"],
    }
    assert request.headers["traceparent"] == event.traceparent
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["webhook-id"] == f"evt_{event.id.hex}"
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["webhook_id"]) == ("delivered", f"evt_{event.id.hex}")


async def test_each_endpoint_gets_the_types_it_asked_for_and_no_other_clients(
    stage: Stage, receiver: Receiver
) -> None:
    await stage.register(receiver.url("/settled"), "payment.settled")
    await stage.register(receiver.url("/others"), "payment.in_review", "payment.rejected")
    await stage.hear(
        stage.event(PaymentSettled),
        stage.event(PaymentInReview, status="REVIEW"),
        stage.event(PaymentRejected, status="REJECTED", reason="insufficient_funds"),
        stage.event(PaymentSettled, client_id=stage.other_id),
    )
    await stage.worker().run_until_idle()
    got = sorted((request.path, request.json["type"]) for request in receiver.requests)
    assert got == [
        ("/others", "payment.in_review"),
        ("/others", "payment.rejected"),
        ("/settled", "payment.settled"),
    ]


@pytest.mark.parametrize(
    ("payload", "type_", "said"),
    [
        (PaymentApproved, "payment.approved", {"status": "APPROVED"}),
        (PaymentSettled, "payment.settled", {"captured_minor": 900}),
        (PaymentSettled, "payment.settled", {"kind": "capture", "captures": str(UUID(int=7))}),
        (PaymentVoided, "payment.voided", {"status": "VOIDED", "captured_minor": 0}),
        (PaymentExpired, "payment.expired", {"status": "EXPIRED", "captured_minor": 0}),
        (
            PaymentRejected,
            "payment.rejected",
            {
                "status": "REJECTED",
                "reason": "limit_exceeded",
                "field": "amount_minor",
                "figures": {"limit": 10_000, "used": 9_000, "asked": 1_250},
            },
        ),
    ],
)
async def test_a_held_payments_steps_are_told_with_what_is_set_and_nothing_else(
    stage: Stage, receiver: Receiver, payload: type[PaymentNotice], type_: str, said: dict[str, Any]
) -> None:
    await stage.register(receiver.url("/this"), type_)
    await stage.register(receiver.url("/other"), "payment.in_review")
    await stage.hear(stage.event(), stage.event(payload, **said))
    await stage.worker().run_until_idle()
    told = receiver.requests[-1].json
    assert (told["type"], receiver.requests[-1].path) == (type_, "/this")
    assert said.items() <= told["data"].items()
    optional = {"captures", "captured_minor", "field", "figures"}
    assert optional & set(told["data"]) == optional & set(said)


async def test_client_without_endpoints_leaves_nothing_behind(stage: Stage) -> None:
    await stage.hear(*(stage.event(client_id=stage.other_id) for _ in range(50)))
    found = await stage.rows(
        "SELECT count(*) FROM notifications WHERE client_id = :client", client=stage.other_id
    )
    assert found[0][0] == 0


async def test_event_heard_twice_is_delivered_once(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    event = stage.event()
    await stage.hear(event)
    await stage.hear(event)
    await stage.worker().run_until_idle()
    assert len(receiver.requests) == 1


async def test_failed_delivery_is_tried_again_on_schedule_until_it_arrives(
    stage: Stage, receiver: Receiver
) -> None:
    """Every attempt bears the same webhook-id and body, its own timestamp, and stands in the record."""
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.statuses = [500, 503]
    worker = stage.worker()
    await worker.run_until_idle()
    stage.clock.advance(seconds=4.9)
    assert await worker.run_until_idle() == 0, "too early"
    stage.clock.advance(seconds=0.1)
    assert await worker.run_until_idle() == 1
    stage.clock.advance(seconds=300)
    assert await worker.run_until_idle() == 1

    assert len(receiver.requests) == 3
    assert len(set(receiver.ids())) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 3
    [delivery] = await stage.deliveries(status="delivered")
    record = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert [(a["number"], a["status_code"], a["error"], a["succeeded"]) for a in record] == [
        (3, 200, None, True),
        (2, 503, "http_status", False),
        (1, 500, "http_status", False),
    ]


async def test_delivery_fails_for_good_at_the_end_of_the_schedule(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status = 500
    worker = stage.worker()
    for delay in (0, *MEAN_DELAYS_S, 10**6):
        stage.clock.advance(seconds=delay)
        await worker.run_until_idle()
    assert len(receiver.requests) == len(MEAN_DELAYS_S) + 1
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == ("failed", "http_status")
    assert delivery["next_attempt_at"] is None


@pytest.mark.parametrize(
    ("asked", "expected_s"), [("120", 120), ("1", 5), ("99999999999999999999", 86_400), ("nonsense", 5)]
)
async def test_retry_after_lengthens_the_wait_within_a_day(
    stage: Stage, receiver: Receiver, asked: str, expected_s: int
) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status, receiver.headers = 429, {"retry-after": asked}
    await stage.worker().run_until_idle()
    [delivery] = await stage.deliveries()
    due = datetime.fromisoformat(delivery["next_attempt_at"])
    assert due - stage.clock.now() == timedelta(seconds=expected_s)


async def test_redirect_is_a_failure_and_is_not_followed(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url("/from"))
    await stage.hear(stage.event())
    receiver.status, receiver.headers = 302, {"location": receiver.url("/to")}
    await stage.worker().run_until_idle()
    assert [request.path for request in receiver.requests] == ["/from"]
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == ("pending", "redirect")


async def test_gone_switches_the_endpoint_off_at_once_and_cancels_what_waits(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status = 503
    worker = stage.worker()
    await worker.run_until_idle()
    await stage.hear(stage.event())
    receiver.status = 410
    await worker.run_until_idle()

    told = await stage.endpoint(endpoint["id"])
    assert (told["status"], told["status_reason"]) == ("disabled", "receiver_gone")
    assert sorted(d["status"] for d in await stage.deliveries()) == ["cancelled", "failed"]
    await stage.hear(stage.event())
    assert len(await stage.deliveries()) == 2, "an endpoint that is off is given more"
    stage.clock.advance(days=1)
    assert await worker.run_until_idle() == 0


async def test_endpoint_that_fails_for_days_without_a_success_is_switched_off(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.register(receiver.url())
    receiver.status = 500
    worker = stage.worker()
    for _ in range(5):
        await stage.hear(stage.event())
        await worker.run_until_idle()
        assert (await stage.endpoint(endpoint["id"]))["status"] == "active"
        stage.clock.advance(days=1)
    await worker.run_until_idle()
    told = await stage.endpoint(endpoint["id"])
    assert (told["status"], told["status_reason"]) == ("disabled", "failing_too_long")
    changes = await stage.rows(
        "SELECT change, reason FROM webhook_endpoint_changes WHERE endpoint_id = :id ORDER BY id",
        id=endpoint["id"],
    )
    assert [tuple(row) for row in changes] == [("registered", None), ("disabled", "failing_too_long")]


async def test_one_success_ends_the_count_of_failing_days(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    worker = stage.worker()
    for status in (500, 200, 500):
        receiver.status = status
        await stage.hear(stage.event())
        await worker.run_until_idle()
        stage.clock.advance(days=3)
    receiver.status = 500
    await worker.run_until_idle()
    assert (await stage.endpoint(endpoint["id"]))["status"] == "active"


async def test_removed_endpoint_gets_nothing_and_stays_on_record(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    await stage.hear(stage.event())
    gone = await stage.api.delete(f"/v1/webhook-endpoints/{endpoint['id']}")
    assert gone.json()["status"] == "removed"
    await stage.hear(stage.event())
    assert await stage.worker().run_until_idle() == 0
    assert [d["status"] for d in await stage.deliveries()] == ["cancelled"]
    assert (await stage.endpoint(endpoint["id"]))["status_reason"] == "removed_by_client"


async def test_snippet_of_the_answer_is_kept_clean_and_short(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status, receiver.body = 400, b"\x00\x1b[31mred\xff" + b"z" * 5_000
    await stage.worker().run_until_idle()
    [delivery] = await stage.deliveries()
    [attempt] = (await stage.delivery(delivery["id"]))["attempt_log"]
    snippet = attempt["response_snippet"]
    assert len(snippet) == 500
    assert snippet.startswith("\ufffd\ufffd[31mred\ufffdzz")
