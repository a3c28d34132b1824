"""Upkeep drops only counters that no window can reach."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from contracts.messages import PaymentInitiated
from fraud_service.consumers.upkeep import Upkeep
from messaging.event import Event

WEEK = timedelta(days=7)


async def test_counters_go_when_the_window_and_a_week_have_passed(
    fraud: Any, make_payment: Callable[..., Event[PaymentInitiated]]
) -> None:
    count = {"id": "n", "kind": "velocity_count", "enabled": True, "action": "review", "score": 1,
             "window_s": 3600, "max_count": 5}  # fmt: skip
    await fraud.publish(count)
    debtor = f"d-{uuid4().hex}"
    now = fraud.clock.now()
    kept = make_payment(debtor=debtor, created_at=now - WEEK - timedelta(minutes=59))
    gone = make_payment(debtor=debtor, created_at=now - WEEK - timedelta(minutes=62))
    await fraud.deliver(kept, gone)
    fraud.clock.at = now
    upkeep = Upkeep(transaction=fraud.database.transaction, clock=fraud.clock)
    await upkeep.round()
    rows = await fraud.rows("SELECT bucket FROM velocity_counters WHERE debtor = :d", d=debtor)
    assert [row.bucket for row in rows] == [int(kept.data.created_at.timestamp()) // 60]
