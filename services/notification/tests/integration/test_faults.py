"""Receivers that misbehave, and workers that die: nothing hangs, nothing is lost, nobody else suffers."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from notification_service.delivery.worker import WorkerLimits
from notification_service.operations.sweep_deliveries import sweep_deliveries
from notification_service.outbound.sender import SendLimits
from notification_service.persistence import endpoints
from service_kit.database import Database
from sqlalchemy import text
from testkit.databases import ServiceDatabase
from testkit.waiting import eventually

from .receiver import Receiver
from .stage import Stage

HASTY = SendLimits(total_s=0.5, connect_s=0.3)


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("silent", "pending", "timeout"),
        ("endless_head", "pending", "timeout"),
        ("reset", "pending", "connection_lost"),
        ("garbage", "pending", "protocol_error"),
        # The status has been given: the receiver has the event, whatever its body does.
        ("endless_body", "delivered", None),
        ("trickle", "delivered", None),
    ],
)
async def test_misbehaving_receiver_is_given_up_within_the_deadline(
    stage: Stage, receiver: Receiver, fault: str, status: str, error: str | None
) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.fault = fault
    async with asyncio.timeout(5):
        await stage.worker(send=HASTY).run_until_idle()
    assert len(receiver.requests) == 1, "the fault did not fire"
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == (status, error)
    [attempt] = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert attempt["duration_ms"] <= 1_500
    assert len(attempt["response_snippet"] or "") <= 500


async def test_endless_body_is_left_after_its_beginning_long_before_any_deadline(
    stage: Stage, receiver: Receiver
) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.fault = "endless_body"
    await stage.worker(send=SendLimits(total_s=40)).run_until_idle()
    [delivery] = await stage.deliveries()
    [attempt] = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert attempt["succeeded"]
    assert attempt["duration_ms"] < 3_000, "it was read until the body's own deadline"


async def test_receiver_that_is_not_there_is_a_failed_attempt(stage: Stage, receiver: Receiver) -> None:
    await stage.register("http://127.0.0.1:1/nobody")
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == ("pending", "connect_failed")


async def test_dead_workers_delivery_is_sent_again_by_another_under_the_same_id(
    stage: Stage, receiver: Receiver
) -> None:
    """The worker dies after the receiver got the request and before the outcome was recorded."""
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    arrived = asyncio.Event()
    receiver.fault, receiver.on_request = "silent", lambda _request: arrived.set()
    dying = asyncio.create_task(stage.worker(send=SendLimits(total_s=60)).run_until_idle())
    await asyncio.wait_for(arrived.wait(), 5)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    receiver.fault = None
    heir = stage.worker()
    assert await heir.run_until_idle() == 0, "the lease still stands"
    stage.clock.advance(seconds=91)
    assert await heir.run_until_idle() == 1
    assert len(receiver.requests) == 2
    assert len(set(receiver.ids())) == 1, "the duplicate is not recognisable"
    [delivery] = await stage.deliveries()
    assert delivery["status"] == "delivered"
    record = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert [(a["number"], a["error"]) for a in record] == [(2, None), (1, "worker_lost")]


async def test_delivery_lost_at_its_last_try_is_failed_by_the_sweep(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    async with stage.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE webhook_deliveries SET attempts = 10, tries = 10, lease_token = id, leased_at = :now,"
                " lease_until = :now WHERE client_id = :client"
            ),
            {"now": stage.clock.now(), "client": stage.client_id},
        )
    assert await stage.worker().run_until_idle() == 0, "it has no try left"
    async with stage.database.transaction() as connection:
        await sweep_deliveries(connection, clock=stage.clock)
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == ("failed", "worker_lost")


async def test_success_that_comes_after_its_lease_still_counts(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    # The clock passes the lease while the request is on its way.
    receiver.on_request = lambda _request: stage.clock.advance(seconds=120)
    await stage.worker().run_until_idle()
    assert len(receiver.requests) == 1
    assert [d["status"] for d in await stage.deliveries()] == ["delivered"]


async def test_slow_endpoint_with_a_backlog_does_not_hold_up_another(
    stage: Stage, receiver: Receiver
) -> None:
    await stage.register(receiver.url("/slow"))
    await stage.hear(*(stage.event() for _ in range(30)))
    await stage.register(receiver.url("/quick"))
    await stage.hear(*(stage.event() for _ in range(5)))
    receiver.faults = {"/slow": "silent"}
    limits = WorkerLimits(concurrency=4, per_endpoint=2, poll_s=0.05)
    worker = stage.worker(limits=limits, send=SendLimits(total_s=30))
    quick = asyncio.Event()

    def count(_request: object) -> None:
        if sum(r.path == "/quick" for r in receiver.requests) == 5:
            quick.set()

    receiver.on_request = count
    running = asyncio.create_task(worker.run())
    try:
        await asyncio.wait_for(quick.wait(), 5)
        assert sum(r.path == "/slow" for r in receiver.requests) == 2, "no more than its share at once"
    finally:
        receiver.release()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_two_workers_never_send_the_same_delivery(stage: Stage, receiver: Receiver) -> None:
    await stage.register(receiver.url())
    await stage.hear(*(stage.event() for _ in range(60)))
    limits = WorkerLimits(concurrency=8, per_endpoint=8)
    # Long enough for any machine: an attempt that times out is rightly left for later, and then made again.
    patient = SendLimits(total_s=60.0, connect_s=60.0)
    workers = [stage.worker(limits=limits, send=patient) for _ in range(3)]
    await asyncio.gather(*(worker.run_until_idle() for worker in workers))
    # A worker may have come back to nothing while another still held some.
    await workers[0].run_until_idle()
    assert len(receiver.ids()) == 60
    assert len(set(receiver.ids())) == 60


async def test_a_retry_by_hand_and_a_worker_that_records_do_not_deadlock(
    stage: Stage, receiver: Receiver
) -> None:
    """Both lock the endpoint before its delivery: who comes second holds nothing that the first needs."""
    endpoint = await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status = 500
    await stage.worker().run_until_idle()
    [delivery] = await stage.deliveries()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with stage.database.transaction() as recording:
        await endpoints.load_many_for_update(recording, [UUID(endpoint["id"])])
        retrying = asyncio.create_task(stage.api.post(f"/v1/webhook-deliveries/{delivery['id']}/retry"))
        waits: list[object] = await eventually(lambda: stage.rows(waiting))
        assert waits
        settled = text("UPDATE webhook_deliveries SET last_status_code = 503 WHERE id = :id")
        await recording.execute(settled, {"id": UUID(delivery["id"])})
    assert (await retrying).status_code == 202


async def test_sending_holds_no_database_connection(
    stage: Stage, receiver: Receiver, database_for: Callable[[str], ServiceDatabase]
) -> None:
    """With a pool of one connection, the database answers while a receiver keeps the worker waiting."""
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    arrived = asyncio.Event()
    receiver.fault, receiver.on_request = "silent", lambda _request: arrived.set()
    single = Database(database_for("notification").app_url, pool_size=1)
    sending = asyncio.create_task(stage.worker(database=single).run_until_idle())
    try:
        await asyncio.wait_for(arrived.wait(), 5)
        assert single.pool_in_use() == 0
        await asyncio.wait_for(single.ping(), 2)
    finally:
        receiver.release()
        await sending
        await single.close()


async def test_worker_wakes_at_the_commit_and_stops_with_everything_recorded(
    stage: Stage, receiver: Receiver
) -> None:
    """Its poll is a minute away: only the nudge explains that the event goes out at once."""
    await stage.register(receiver.url())
    worker = stage.worker(limits=WorkerLimits(poll_s=60, stop_s=5))
    stage.nudges.append(worker.nudge_if_due)
    first, second = asyncio.Event(), asyncio.Event()
    receiver.on_request = lambda _request: (second if first.is_set() else first).set()
    running = asyncio.create_task(worker.run())
    await stage.hear(stage.event())
    await asyncio.wait_for(first.wait(), 5)
    # Its first round may have found the first event by itself; by now it lies idle.
    done: bool = await eventually(lambda: _all_delivered(stage))
    assert done
    await stage.hear(stage.event())
    await asyncio.wait_for(second.wait(), 5)
    worker.stop()
    await asyncio.wait_for(running, 5)
    assert [d["status"] for d in await stage.deliveries()] == ["delivered", "delivered"]


async def _all_delivered(stage: Stage) -> bool:
    return [d["status"] for d in await stage.deliveries()] == ["delivered"]


async def test_leases_are_longer_than_attempts_by_configuration() -> None:
    assert WorkerLimits().lease >= timedelta(seconds=2 * SendLimits().total_s)
