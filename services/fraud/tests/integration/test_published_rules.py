"""Rules that somebody published: what they count, and from when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from contracts.messages import PaymentInitiated
from messaging.event import Event

MakePayment = Callable[..., Event[PaymentInitiated]]


async def test_capture_is_parked_and_counted_nowhere(fraud: Any, make_payment: MakePayment) -> None:
    """Its authorisation was screened and counted: whoever sends a capture here is at fault."""
    await fraud.publish(_count_rule(max_count=1))
    debtor = f"d-{uuid4().hex}"
    capture = make_payment(kind="capture", debtor=debtor)
    await fraud.deliver(capture, make_payment(debtor=debtor))
    assert (await fraud.parked())[capture.id] == "not_to_be_screened"
    assert await fraud.told(capture.data.payment_id) == []
    assert await fraud.decisions_of(debtor) == ["approve"]


async def test_reversal_is_approved_recorded_and_not_counted(fraud: Any, make_payment: MakePayment) -> None:
    await fraud.publish(_count_rule(max_count=1))
    debtor = f"d-{uuid4().hex}"
    reversals = [make_payment(kind="reversal", debtor=debtor, amount_minor=10**12) for _ in range(3)]
    transfer = make_payment(debtor=debtor)
    await fraud.deliver(*reversals, transfer)
    assert await fraud.decisions_of(debtor) == ["approve"] * 4
    (told,) = await fraud.told(reversals[0].data.payment_id)
    assert told["data"]["reasons"] == ["reversal"]
    assert (await fraud.decision(transfer)).velocity == {"count": 1}


async def test_velocity_counts_each_transfer_once_across_deliveries(
    fraud: Any, make_payment: MakePayment
) -> None:
    await fraud.publish(_count_rule(max_count=3))
    debtor = f"d-{uuid4().hex}"
    events = [make_payment(debtor=debtor) for _ in range(3)]
    for _ in range(3):
        await fraud.deliver(*events)
    last = make_payment(debtor=debtor)
    await fraud.deliver(last)
    assert await fraud.decisions_of(debtor) == ["approve"] * 3 + ["review"]
    row = await fraud.decision(last)
    assert (row.velocity, row.reasons) == ({"count": 4}, ["count:velocity_count"])


async def test_velocity_is_exact_under_concurrent_batches(fraud: Any, make_payment: MakePayment) -> None:
    """Eight consumers, each with a share of two debtors' payments: exactly the limit passes."""
    await fraud.publish(_count_rule(max_count=150), _sum_rule(max_sum_minor=100_00))
    one, two = (f"d-{uuid4().hex}" for _ in range(2))
    batches = []
    for worker in range(8):
        ones = [make_payment(debtor=one, amount_minor=10, currency="USD") for _ in range(25)]
        twos = [make_payment(debtor=two, amount_minor=1_00, currency="EUR") for _ in range(25)]
        batches.append([*ones, *twos] if worker % 2 else [*twos, *ones])
    await fraud.deliver_concurrently(batches)
    assert await fraud.decisions_of(one) == ["approve"] * 150 + ["review"] * 50
    assert await fraud.decisions_of(two) == ["approve"] * 100 + ["decline"] * 100
    counted = await fraud.rows(
        "SELECT debtor, sum(payments) AS n, sum(sum_minor) AS total FROM velocity_counters "
        "WHERE debtor IN (:one, :two) GROUP BY debtor, window_s", one=one, two=two
    )  # fmt: skip
    assert sorted((int(row.n), int(row.total)) for row in counted) == [(200, 2_000), (200, 20_000)]


async def test_velocity_is_per_client_and_debtor(fraud: Any, make_payment: MakePayment) -> None:
    await fraud.publish(_count_rule(max_count=2))
    debtor = f"d-{uuid4().hex}"
    events = [make_payment(debtor=debtor, client_id=f"client-{n % 3}") for n in range(6)]
    await fraud.deliver(*events)
    assert await fraud.decisions_of(debtor) == ["approve"] * 6


async def test_draining_a_backlog_flags_nobody_who_kept_within_the_limit(
    fraud: Any, make_payment: MakePayment
) -> None:
    """An hour of one payment a minute, screened at once and out of order, is an hour of one a minute."""
    await fraud.publish(_count_rule(window_s=600, max_count=10))
    debtor = f"d-{uuid4().hex}"
    start = datetime.fromisoformat("2026-11-19T23:30:00Z")
    events = [make_payment(debtor=debtor, created_at=start + timedelta(minutes=n)) for n in range(60)]
    await fraud.deliver(*events[::2])
    await fraud.deliver(*reversed(events[1::2]))
    assert await fraud.decisions_of(debtor) == ["approve"] * 60
    burst = [make_payment(debtor=debtor, created_at=start + timedelta(minutes=60)) for _ in range(3)]
    await fraud.deliver(*burst)
    assert (await fraud.decisions_of(debtor)).count("review") == 2


async def test_rebuilt_counters_equal_those_that_were_counted(fraud: Any, make_payment: MakePayment) -> None:
    """Python's buckets and the database's agree, to the microsecond at an edge and before 1970 too."""
    debtor = f"d-{uuid4().hex}"
    bucket_s = 31 * 24 * 60
    edge = datetime.fromtimestamp(40_215 * bucket_s, UTC)
    microsecond = timedelta(microseconds=1)
    moments = [edge - microsecond, edge, edge + microsecond, edge + timedelta(seconds=bucket_s) - microsecond]
    ancient = datetime.fromisoformat("1969-12-31T23:59:59.999999Z")
    events = [make_payment(debtor=debtor, created_at=at) for at in [*moments, ancient]]
    fraud.clock.at = edge
    window_s = 60 * bucket_s
    await fraud.publish(_count_rule(window_s=window_s, max_count=100))
    await fraud.deliver(*events)
    query = "SELECT bucket, payments, sum_minor FROM velocity_counters WHERE debtor = :d ORDER BY 1"
    counted = await fraud.rows(query, d=debtor)
    assert len(counted) == 3
    await fraud.publish()
    await fraud.publish(_count_rule(window_s=window_s, max_count=100))
    assert await fraud.rows(query, d=debtor) == [row for row in counted if row.bucket > 0]
    fraud.clock.at = ancient
    await fraud.publish()
    await fraud.publish(_count_rule(window_s=window_s, max_count=100))
    assert await fraud.rows(query, d=debtor) == counted


async def test_rule_enabled_now_sees_the_window_that_has_passed(
    fraud: Any, make_payment: MakePayment
) -> None:
    await fraud.publish()
    debtor = f"d-{uuid4().hex}"
    now = fraud.clock.now()
    await fraud.deliver(*(make_payment(debtor=debtor, created_at=now) for _ in range(5)))
    await fraud.publish(_count_rule(max_count=5))
    await fraud.deliver(make_payment(debtor=debtor, created_at=now))
    assert await fraud.decisions_of(debtor) == ["approve"] * 5 + ["review"]


def _count_rule(*, max_count: int, window_s: int = 3600) -> dict[str, Any]:
    return {
        "id": "count", "kind": "velocity_count", "enabled": True, "action": "review", "score": 30,
        "window_s": window_s, "max_count": max_count,
    }  # fmt: skip


def _sum_rule(*, max_sum_minor: int) -> dict[str, Any]:
    return {
        "id": "sum", "kind": "velocity_sum", "enabled": True, "action": "decline", "score": 50,
        "window_s": 3600, "currency": "EUR", "max_sum_minor": max_sum_minor,
    }  # fmt: skip
