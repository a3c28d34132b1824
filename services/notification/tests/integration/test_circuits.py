"""A receiver that fails is tried by one delivery now and then; the rest waits, untried, and is not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from notification_service.delivery.worker import DeliveryWorker, WorkerLimits
from notification_service.domain.circuit import FAILURES_TO_OPEN
from notification_service.operations.claim_deliveries import Outgoing, claim_deliveries
from notification_service.outbound.sender import SendLimits
from service_kit.ids import uuid7
from testkit.databases import ServiceDatabase, connect
from testkit.waiting import eventually

from .receiver import Receiver
from .stage import Stage

# One at a time: the fifth failure is recorded before a sixth attempt could be made.
ONE_BY_ONE = WorkerLimits(per_endpoint=1)


async def opened(stage: Stage, receiver: Receiver, *, waiting: int = 15) -> Any:
    """An endpoint whose receiver has failed five times in a row, with so many more events for it."""
    endpoint = await stage.register(receiver.url())
    await stage.hear(*(stage.event() for _ in range(FAILURES_TO_OPEN + waiting)))
    receiver.status = 500
    assert await stage.worker(limits=ONE_BY_ONE).run_until_idle() == FAILURES_TO_OPEN
    receiver.requests.clear()
    return endpoint


async def circuit_of(stage: Stage, endpoint: Any) -> Any:
    return (await stage.endpoint(endpoint["id"]))["circuit"]


async def claim(stage: Stage, connection: Any) -> list[Outgoing]:
    return await claim_deliveries(
        connection,
        held={},
        per_endpoint=8,
        probes=16,
        limit=64,
        lease=timedelta(seconds=90),
        clock=stage.clock,
        new_id=uuid7,
    )


@asynccontextmanager
async def at_work(worker: DeliveryWorker) -> AsyncIterator[None]:
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_after_five_failures_in_a_row_the_rest_waits_and_keeps_its_tries(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await opened(stage, receiver)
    told, now = await circuit_of(stage, endpoint), stage.clock.now()
    assert told["state"] == "open"
    assert datetime.fromisoformat(told["since"]) == now
    assert datetime.fromisoformat(told["next_attempt_at"]) == now + timedelta(seconds=30)
    stage.clock.advance(seconds=29.9)
    assert await stage.worker().run_until_idle() == 0
    left = await stage.rows(
        "SELECT count(*) FROM webhook_deliveries WHERE client_id = :client AND status = 'pending'"
        " AND attempts = 0 AND tries = 0",
        client=stage.client_id,
    )
    assert left[0][0] == 15


async def test_one_probe_closes_it_and_all_that_waited_flows(stage: Stage, receiver: Receiver) -> None:
    endpoint = await opened(stage, receiver)
    stage.clock.advance(seconds=30)
    worker = stage.worker()
    assert await worker.run_until_idle() == 1, "more than a probe was let through"
    assert (await circuit_of(stage, endpoint))["state"] == "open"
    stage.clock.advance(seconds=59.9)
    assert await worker.run_until_idle() == 0, "a failed probe has not made the pause longer"

    receiver.status = 200
    stage.clock.advance(minutes=10)
    assert await worker.run_until_idle() == 20
    told = await circuit_of(stage, endpoint)
    assert (told["state"], told["next_attempt_at"]) == ("closed", None)
    assert datetime.fromisoformat(told["since"]) == stage.clock.now()
    assert {d["status"] for d in await stage.deliveries()} == {"delivered"}
    assert len(set(receiver.ids())) == 20


async def test_of_many_workers_one_probes(stage: Stage, receiver: Receiver) -> None:
    """While the first one's claim is not committed, after it is, and when all come at once."""
    endpoint = await opened(stage, receiver)
    stage.clock.advance(seconds=30)
    async with stage.database.transaction() as first:
        [probe] = await claim(stage, first)
        assert probe.claim.probe
        # Something else to probe with has come and would be first: the delivery is not what they meet at.
        stage.clock.advance(minutes=-10)
        await stage.hear(stage.event())
        stage.clock.advance(minutes=10)
        async with asyncio.timeout(20), stage.database.transaction() as second:
            assert await claim(stage, second) == []
    async with stage.database.transaction() as third:
        assert await claim(stage, third) == []
    assert (await circuit_of(stage, endpoint))["state"] == "half_open"

    async def another() -> list[Outgoing]:
        async with stage.database.transaction() as connection:
            return await claim(stage, connection)

    # The worker with the probe is never heard of again: its lease ends, and all the others are there.
    stage.clock.advance(seconds=91)
    claims = [one for claimed in await asyncio.gather(*(another() for _ in range(12))) for one in claimed]
    assert [one.claim.probe for one in claims] == [True]


async def test_a_probe_that_dies_with_its_worker_is_made_again_by_another(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await opened(stage, receiver, waiting=1)
    stage.clock.advance(seconds=30)
    arrived = asyncio.Event()
    receiver.fault, receiver.on_request = "silent", lambda _request: arrived.set()
    dying = asyncio.create_task(stage.worker(send=SendLimits(total_s=60)).run_until_idle())
    await asyncio.wait_for(arrived.wait(), 20)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.fault, receiver.status = None, 200
    assert await stage.worker().run_until_idle() == 0, "the lease still stands"
    stage.clock.advance(seconds=91)
    assert await stage.worker().run_until_idle() == 6
    assert (await circuit_of(stage, endpoint))["state"] == "closed"


async def test_receivers_that_hang_leave_the_places_to_those_that_do_not(
    stage: Stage, receiver: Receiver
) -> None:
    """Four of them, with two places each, would hold all eight places of a worker for as long as they like.

    Their circuits are open and all may be probed at this moment: even so two at most are.
    """
    hanging = [f"/hangs-{number}" for number in range(4)]
    for path in hanging:
        await stage.register(receiver.url(path), "payment.settled")
    receiver.status = 500
    await stage.hear(*(stage.event() for _ in range(20)))
    await stage.worker(limits=ONE_BY_ONE).run_until_idle()
    receiver.requests.clear()
    await stage.register(receiver.url("/well"), "payment.settled")
    await stage.hear(*(stage.event() for _ in range(10)))
    stage.clock.advance(hours=1)
    receiver.status, receiver.faults = 200, dict.fromkeys(hanging, "silent")

    def told(path: str) -> int:
        return sum(request.path.startswith(path) for request in receiver.requests)

    limits = WorkerLimits(concurrency=8, per_endpoint=2, poll_s=0.05)
    async with at_work(stage.worker(limits=limits, send=SendLimits(total_s=60))):
        await eventually(lambda: told("/well") == 10, timeout_s=30)
        assert told("/hangs") <= limits.probes == 2
        receiver.release()


async def test_a_person_who_sends_a_test_sees_it_probe_at_once(stage: Stage, receiver: Receiver) -> None:
    """Before all that waits, though its time has not come; again after that failed; and then all flows."""
    endpoint = await opened(stage, receiver)
    worker, path = stage.worker(), f"/v1/webhook-endpoints/{endpoint['id']}/test"
    for _ in range(2):
        ping = (await stage.api.post(path)).json()
        assert await worker.run_until_idle() == 1
        assert receiver.requests[-1].json["type"] == "ping"
        assert (await circuit_of(stage, endpoint))["state"] == "open"
    assert (await stage.delivery(ping["id"]))["attempts"] == 2

    receiver.status = 200
    await stage.api.post(path)
    await worker.run_until_idle()
    assert receiver.requests[2].json["type"] == "ping"
    assert (await circuit_of(stage, endpoint))["state"] == "closed"
    assert len(receiver.requests) == 3 + 15


async def test_a_person_who_retries_a_delivery_sees_just_that_one_tried(
    stage: Stage, receiver: Receiver
) -> None:
    await opened(stage, receiver)
    newest = (await stage.deliveries())[0]
    answer = await stage.api.post(f"/v1/webhook-deliveries/{newest['id']}/retry")
    assert answer.status_code == 202
    assert await stage.worker().run_until_idle() == 1
    assert receiver.ids() == [newest["webhook_id"]]


async def test_what_a_person_asks_for_while_a_probe_is_on_its_way_comes_right_after_it(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await opened(stage, receiver)
    stage.clock.advance(seconds=30)
    arrived = asyncio.Event()
    receiver.fault, receiver.on_request = "silent", lambda _request: arrived.set()
    probing = asyncio.create_task(stage.worker().run_until_idle())
    await asyncio.wait_for(arrived.wait(), 20)
    await stage.api.post(f"/v1/webhook-endpoints/{endpoint['id']}/test")
    assert len(receiver.requests) == 1, "two probes at once"
    receiver.fault = None
    receiver.release()
    assert await probing == 2
    assert [request.json["type"] for request in receiver.requests] == ["payment.settled", "ping"]


@pytest.mark.parametrize("way", ["url", "enable"])
async def test_another_receiver_or_enabling_the_endpoint_closes_it(
    stage: Stage, receiver: Receiver, way: str
) -> None:
    endpoint = await opened(stage, receiver)
    path, receiver.status = f"/v1/webhook-endpoints/{endpoint['id']}", 200
    if way == "url":
        changed = await stage.api.patch(path, json={"url": receiver.url("/new")})
    else:
        off = await stage.api.delete(path)
        assert off.json()["circuit"]["state"] == "closed", "nothing is held back where nothing goes"
        changed = await stage.api.post(f"{path}/enable")
        await stage.hear(*(stage.event() for _ in range(15)))
    assert changed.json()["circuit"]["state"] == "closed"
    assert await stage.worker().run_until_idle() == 15


async def test_an_endpoint_with_an_open_circuit_is_switched_off_after_its_days_of_failure(
    stage: Stage, receiver: Receiver
) -> None:
    """Probes are enough to know it; what was never tried is cancelled, to be replayed, and has not failed."""
    endpoint = await opened(stage, receiver, waiting=25)
    worker, hours = stage.worker(), 0
    while (await stage.endpoint(endpoint["id"]))["status"] == "active" and hours < 200:
        stage.clock.advance(hours=1)
        hours += 1
        await worker.run_until_idle()
    assert hours == 120
    assert len(receiver.requests) == 120
    told = await stage.endpoint(endpoint["id"])
    assert (told["status_reason"], told["circuit"]["state"]) == ("failing_too_long", "closed")
    assert {d["status"] for d in await stage.deliveries(endpoint=endpoint["id"])} <= {"cancelled", "failed"}


async def test_a_success_writes_nothing_to_the_endpoint(stage: Stage, receiver: Receiver) -> None:
    """Its row is one for all its deliveries; each write of it would be waited for by the next."""
    endpoint = await stage.register(receiver.url())
    version = "SELECT xmin::text, ctid::text FROM webhook_endpoints WHERE id = :id"
    [before] = await stage.rows(version, id=UUID(endpoint["id"]))
    await stage.hear(*(stage.event() for _ in range(20)))
    assert await stage.worker().run_until_idle() == 20
    assert await stage.rows(version, id=UUID(endpoint["id"])) == [before]


async def test_the_database_refuses_a_circuit_that_would_never_be_tried(
    stage: Stage, receiver: Receiver, database_for: Any
) -> None:
    endpoint = await stage.register(receiver.url())
    database: ServiceDatabase = database_for("notification")
    connection = await connect(database.app_url)
    try:
        with pytest.raises(Exception, match="check constraint"):
            await connection.execute(
                "UPDATE webhook_endpoints SET circuit_state = 'open', circuit_since = now() WHERE id = $1",
                UUID(endpoint["id"]),
            )
    finally:
        await connection.close()
