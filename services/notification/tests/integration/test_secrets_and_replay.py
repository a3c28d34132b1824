"""Rotation with overlap, and sending again what happened."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from contracts.messages import PaymentInReview, PaymentSettled
from notification_service.operations.claim_deliveries import claim_deliveries
from service_kit.ids import uuid7
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from testkit.databases import ServiceDatabase, connect

from .receiver import Received, Receiver
from .stage import Stage


def signed_by(secret: str, request: Received, stage: Stage) -> bool:
    """By the oracle's `sign`, because its `verify` knows no time but the machine's."""
    expected = Webhook(secret).sign(request.headers["webhook-id"], stage.clock.now(), request.body.decode())
    return expected in request.headers["webhook-signature"].split(" ")


async def test_both_secrets_sign_until_the_overlap_ends(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    rotated = await stage.api.post(f"/v1/webhook-endpoints/{endpoint['id']}/secret/rotations")
    assert rotated.status_code == 201
    old, new = endpoint["secret"], rotated.json()["secret"]
    assert old != new
    worker = stage.worker()

    await stage.hear(stage.event())
    await worker.run_until_idle()
    for secret in (old, new):
        Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
    # The current one comes first, for receivers that look at one signature only.
    assert (
        receiver.requests[0]
        .headers["webhook-signature"]
        .startswith(
            Webhook(new).sign(
                receiver.requests[0].headers["webhook-id"],
                stage.clock.now(),
                receiver.requests[0].body.decode(),
            )
        )
    )

    stage.clock.advance(hours=24, seconds=1)
    await stage.hear(stage.event())
    await worker.run_until_idle()
    assert signed_by(new, receiver.requests[1], stage)
    assert not signed_by(old, receiver.requests[1], stage)


async def test_leaked_secret_is_cut_off_at_once_with_no_overlap(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    path = f"/v1/webhook-endpoints/{endpoint['id']}/secret/rotations"
    first = (await stage.api.post(path)).json()["secret"]
    second = (await stage.api.post(path, json={"overlap_s": 0})).json()["secret"]
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    [request] = receiver.requests
    Webhook(second).verify(request.body, request.headers)
    for leaked in (endpoint["secret"], first):
        with pytest.raises(WebhookVerificationError):
            Webhook(leaked).verify(request.body, request.headers)


async def test_many_rotations_keep_the_signatures_few(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    for _ in range(8):
        await stage.api.post(f"/v1/webhook-endpoints/{endpoint['id']}/secret/rotations")
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    assert len(receiver.requests[0].headers["webhook-signature"].split(" ")) == 5


async def test_secret_is_shown_once_and_nowhere_else(
    stage: Stage, receiver: Receiver, database_for: Callable[[str], ServiceDatabase]
) -> None:
    endpoint = await stage.register(receiver.url())
    secret = endpoint["secret"].removeprefix("whsec_")
    for path in ("", f"/{endpoint['id']}"):
        answer = await stage.api.get(f"/v1/webhook-endpoints{path}")
        assert secret not in answer.text
        assert "whsec" not in answer.text
    auditor = await connect(database_for("notification").auditor_url)
    try:
        assert await auditor.fetchval("SELECT count(*) FROM notification.webhook_endpoints") > 0
        # The role reads every table; row-level security leaves it none of these rows.
        assert await auditor.fetch("SELECT secret FROM notification.webhook_secrets") == []
    finally:
        await auditor.close()


async def test_replay_sends_again_what_happened_since_under_the_same_ids(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.register(receiver.url(), "payment.settled")
    worker = stage.worker()
    await stage.hear(stage.event())
    stage.clock.advance(hours=1)
    since = stage.clock.now()
    later = stage.event(PaymentSettled)
    await stage.hear(later, stage.event(PaymentInReview))
    await worker.run_until_idle()
    receiver.requests.clear()
    stage.clock.advance(hours=1)

    answer = await stage.api.post(
        f"/v1/webhook-endpoints/{endpoint['id']}/replay", json={"since": since.isoformat()}
    )
    assert answer.status_code == 202
    assert answer.json() == {"queued": 1, "resume_since": None}
    await worker.run_until_idle()
    assert receiver.ids() == [f"evt_{later.id.hex}"]
    [delivery] = await stage.deliveries(payment=str(later.data.payment_id))
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 2)


async def test_replay_brings_what_a_disabled_endpoint_missed(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    start = stage.clock.now()
    await stage.hear(stage.event())
    receiver.status = 410
    worker = stage.worker()
    await worker.run_until_idle()
    await stage.hear(stage.event(), stage.event())
    receiver.status = 200
    receiver.requests.clear()

    path = f"/v1/webhook-endpoints/{endpoint['id']}"
    body = {"since": (start - timedelta(seconds=1)).isoformat()}
    refused = await stage.api.post(f"{path}/replay", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_endpoint_not_active")
    enabled = await stage.api.post(f"{path}/enable")
    assert (enabled.json()["status"], enabled.json()["status_reason"]) == ("active", None)
    stage.clock.advance(seconds=1)
    assert (await stage.api.post(f"{path}/replay", json=body)).json()["queued"] == 3
    await worker.run_until_idle()
    assert len(receiver.requests) == 3


async def test_replay_of_what_is_still_on_its_way_doubles_nothing(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url())
    start = stage.clock.now()
    await stage.hear(*(stage.event() for _ in range(3)))
    stage.clock.advance(seconds=1)
    answer = await stage.api.post(
        f"/v1/webhook-endpoints/{endpoint['id']}/replay", json={"since": start.isoformat()}
    )
    assert answer.json()["queued"] == 0
    await stage.worker().run_until_idle()
    assert len(receiver.requests) == 3


async def test_retry_by_hand_starts_the_schedule_again(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status = 500
    worker = stage.worker()
    await worker.run_until_idle()
    receiver.status = 200
    [delivery] = await stage.deliveries()
    answer = await stage.api.post(f"/v1/webhook-deliveries/{delivery['id']}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await worker.run_until_idle()
    assert len(set(receiver.ids())) == 1
    assert [d["status"] for d in await stage.deliveries()] == ["delivered"]


async def test_retry_is_refused_while_the_delivery_is_being_sent(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    [delivery] = await stage.deliveries()
    async with stage.database.transaction() as connection:
        claimed = await claim_deliveries(
            connection,
            held={},
            per_endpoint=1,
            probes=1,
            limit=1,
            lease=timedelta(seconds=90),
            clock=stage.clock,
            new_id=uuid7,
        )
    assert len(claimed) == 1
    answer = await stage.api.post(f"/v1/webhook-deliveries/{delivery['id']}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_delivery_in_progress")


async def test_test_sends_one_ping_to_this_endpoint_alone(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.register(receiver.url("/mine"))
    await stage.register(receiver.url("/other"))
    path = f"/v1/webhook-endpoints/{endpoint['id']}/test"
    first, second = await stage.api.post(path), await stage.api.post(path)
    assert first.status_code == 202
    assert first.json()["id"] == second.json()["id"], "pings pile up"
    await stage.worker().run_until_idle()
    [request] = receiver.requests
    told = Webhook(endpoint["secret"]).verify(request.body, request.headers)
    assert (request.path, told["type"]) == ("/mine", "ping")
    assert told["data"] == {"endpoint_id": endpoint["id"]}
