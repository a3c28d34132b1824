"""Our own lateness is measured, and not a receiver's: neither its failures nor what waits for its circuit."""

from datetime import timedelta
from typing import Any

import pytest
from notification_service.delivery.worker import DeliveryWorker, WorkerLimits
from notification_service.domain.delivery import Answer, Finished, answered
from notification_service.operations.claim_deliveries import claim_deliveries
from notification_service.operations.record_attempts import record_attempts
from notification_service.operations.sweep_deliveries import Swept, sweep_deliveries
from prometheus_client import REGISTRY
from service_kit.ids import uuid7

from .receiver import Receiver
from .stage import Stage

ONE_BY_ONE = WorkerLimits(per_endpoint=1)


class BrokenSender:
    """A fault of ours: no attempt so much as leaves the process."""

    async def send(self, url: str, **_request: Any) -> tuple[Answer, int]:
        raise RuntimeError(f"a bug, on the way to {url}")


async def swept(stage: Stage) -> Swept:
    async with stage.database.transaction() as connection:
        return await sweep_deliveries(connection, clock=stage.clock)


async def probe_well(stage: Stage) -> None:
    """A worker's probe succeeds, and then the worker is gone."""
    now = stage.clock.now()
    async with stage.database.transaction() as connection:
        [probe] = await claim_deliveries(
            connection,
            held={},
            per_endpoint=8,
            probes=1,
            limit=64,
            lease=timedelta(seconds=90),
            clock=stage.clock,
            new_id=uuid7,
        )
        done = Finished(
            claim=probe.claim,
            started_at=now,
            ended_at=now,
            duration_ms=1,
            answer=answered(200, retry_after_s=None, snippet=""),
        )
        await record_attempts(
            connection, [done], disable_after=timedelta(days=5), draw=lambda: 0.5, new_id=uuid7
        )


def first_attempts() -> float:
    return REGISTRY.get_sample_value("florin_webhook_first_attempt_delay_seconds_count") or 0.0


async def test_what_waits_for_a_circuit_is_told_apart_from_what_waits_for_us(
    stage: Stage, receiver: Receiver
) -> None:
    """And once the circuit has closed it waits for us from that moment on, not from when it was due."""
    before = await swept(stage)
    await stage.register(receiver.url(), "payment.settled")
    await stage.hear(*(stage.event() for _ in range(15)))
    receiver.status = 500
    assert (await swept(stage)).due - before.due == 15
    await stage.worker(limits=ONE_BY_ONE).run_until_idle()
    stage.clock.advance(hours=1)
    waits = await swept(stage)
    assert waits.active - before.active == waits.open_circuits - before.open_circuits == 1
    assert (waits.due, waits.held_back - before.held_back) == (0, 15)
    assert waits.oldest_age.total_seconds() == 0

    await probe_well(stage)
    stage.clock.advance(seconds=7)
    flows = await swept(stage)
    assert (flows.due, flows.held_back, flows.open_circuits) == (14, before.held_back, before.open_circuits)
    assert flows.oldest_age.total_seconds() == 7


async def test_only_what_waited_for_us_counts_towards_the_objective(stage: Stage, receiver: Receiver) -> None:
    """Five attempts that failed, and one event told when all was well again; not what was held back."""
    await stage.register(receiver.url(), "payment.settled")
    await stage.hear(*(stage.event() for _ in range(20)))
    before, receiver.status = first_attempts(), 500
    await stage.worker(limits=ONE_BY_ONE).run_until_idle()
    assert first_attempts() - before == 5
    stage.clock.advance(hours=1)
    receiver.status = 200
    assert await stage.worker().run_until_idle() == 20
    assert first_attempts() - before == 5
    stage.clock.advance(seconds=1)
    await stage.hear(stage.event())
    assert await stage.worker().run_until_idle() == 1
    assert first_attempts() - before == 6


@pytest.mark.parametrize("opened_first", [False, True])
async def test_a_fault_of_ours_is_not_the_receivers(
    stage: Stage, receiver: Receiver, opened_first: bool
) -> None:
    """It opens no circuit and begins no days of failure; of a probe it decides nothing."""
    endpoint = await stage.register(receiver.url(), "payment.settled")
    await stage.hear(*(stage.event() for _ in range(15)))
    if opened_first:
        receiver.status = 500
        await stage.worker(limits=ONE_BY_ONE).run_until_idle()
        stage.clock.advance(seconds=30)
    before = await stage.endpoint(endpoint["id"])
    broken: Any = BrokenSender()
    worker = DeliveryWorker(
        database=stage.database,
        sender=broken,
        limits=ONE_BY_ONE,
        clock=stage.clock,
        new_id=uuid7,
        draw=lambda: 0.5,
    )
    assert await worker.run_until_idle() == (1 if opened_first else 15)
    after = await stage.endpoint(endpoint["id"])
    assert after["failing_since"] == before["failing_since"]
    if not opened_first:
        assert after["circuit"]["state"] == "closed"
        return
    assert after["circuit"]["state"] == "open"
    receiver.status = 200
    stage.clock.advance(seconds=30)
    assert await stage.worker().run_until_idle() == 15, "the pause was made longer, or a probe is missing"
