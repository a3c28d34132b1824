"""Limits are enforced with the posting, and counted as the ledger itself would."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from account_service.domain.posting import PostingKind
from account_service.operations.expire_holds import expire_holds
from contracts.messages import PostingRequested
from messaging.event import Event
from service_kit.ids import uuid7

from .bank import Bank, capture, hold, requested, transfer, void
from .limited import LATER, NOON, assert_counted_as_the_ledger_says, limit, used, words


async def test_a_payment_passes_up_to_the_limit_and_not_a_minor_unit_beyond(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100)
    assert await words(bank, transfer(payer, payee, 60)) == ["completed"]
    assert await words(bank, transfer(payer, payee, 41)) == ["daily_sum"]
    assert await words(bank, transfer(payer, payee, 40)) == ["completed"]
    assert await words(bank, transfer(payer, payee, 1)) == ["daily_sum"]
    assert await bank.balance(payee) == 100


async def test_within_one_batch_each_sees_those_before_it(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, daily_count=4)
    held = hold(payer, payee, 30, expires_at=LATER)
    asked = [
        transfer(payer, payee, 50),
        held,
        transfer(payer, payee, 21),
        transfer(payer, payee, 20),
        void(held),
        transfer(payer, payee, 25),
        transfer(payer, payee, 1),
        transfer(payer, payee, 1),
    ]
    told = ["completed", "held", "daily_sum", "completed", "ended", "completed", "completed", "daily_count"]
    assert await words(bank, *asked) == told
    assert await used(bank, payer) == {"daily_count": 4, "daily_sum": 96}
    await assert_counted_as_the_ledger_says(bank, payer)


async def test_a_refusal_names_limit_used_and_asked_and_is_told_again(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100)
    await bank.post(transfer(payer, payee, 60))
    refused = requested(transfer(payer, payee, 41))
    await bank.deliver(refused)
    bank.clock.at = LATER
    await bank.another_processor().process([bank.frame([requested_again(refused)])])
    answers = await bank.told(refused.data.payment_id)
    assert len(answers) == 2
    for answer in answers:
        assert answer["type"] == "florin.posting.declined.v1"
        assert answer["data"] == {
            "payment_id": str(refused.data.payment_id),
            "code": "limit_exceeded",
            "field": "amount_minor",
            "figures": {
                "limit": "daily_sum",
                "scope": "account",
                "allowed": 100,
                "used": 60,
                "asked": 41,
                "window_start": "2026-11-20T00:00:00+00:00",
                "window_end": "2026-11-21T00:00:00+00:00",
            },
        }


def requested_again(event: Event[PostingRequested]) -> Event[PostingRequested]:
    """The same request in another event."""
    return replace(event, id=uuid7())


async def test_what_comes_in_and_what_is_reversed_does_not_count(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    await limit(bank, payee, daily_count=0, monthly_sum_minor=0)
    paid = transfer(payer, payee, 50)
    back = transfer(payee, payer, 50, kind=PostingKind.REVERSAL, reverses=paid.payment_id)
    assert await words(bank, paid, back) == ["completed", "completed"]
    body = {"amount_minor": 5, "currency": "CZK"}
    assert (await bank.send("POST", f"/v1/accounts/{payee}/deposits", body)).status_code == 201
    assert await used(bank, payee) == {"daily_count": 0, "monthly_sum": 0}
    assert await words(bank, transfer(payee, payer, 1)) == ["daily_count"]


async def test_a_payment_is_counted_once_however_often_it_is_asked_for(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_count=2)
    paid = transfer(payer, payee, 5)
    assert await words(bank, paid, paid) == ["completed", "completed"]
    assert await words(bank, paid) == ["completed"]
    assert await used(bank, payer) == {"daily_count": 1}


async def test_usage_is_kept_so_that_the_ledger_is_read_once(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100)
    await bank.post(transfer(payer, payee, 5), transfer(payer, payee, 6))
    await bank.post(transfer(payer, payee, 7))
    kept = await bank.rows(
        """
        SELECT u.period, u.starts_on, u.count, u.sum_minor FROM limit_usage u
        JOIN accounts a ON a.id = u.account_id WHERE a.reference = :reference ORDER BY u.period
        """,
        reference=payer,
    )
    assert [tuple(row) for row in kept] == [("day", NOON.date(), 3, 18), ("month", date(2026, 11, 1), 3, 18)]


async def test_a_day_and_a_month_begin_anew_in_the_accounts_time_zone(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    zone = {"time_zone": "Europe/Prague", "reason": "Lives there"}
    assert (await bank.send("PUT", f"/v1/accounts/{payer}/time-zone", zone, key=None)).status_code == 200
    await limit(bank, payer, daily_sum_minor=100, monthly_count=3)
    midnight = datetime(2026, 11, 29, 23, tzinfo=UTC)
    bank.clock.at = midnight - timedelta(microseconds=1)
    assert await words(bank, transfer(payer, payee, 100), transfer(payer, payee, 1)) == [
        "completed",
        "daily_sum",
    ]
    bank.clock.at = midnight
    assert await words(bank, *(transfer(payer, payee, 50) for _ in range(3))) == [
        "completed",
        "completed",
        "daily_sum",
    ]
    await limit(bank, payer, monthly_count=3)
    assert await words(bank, transfer(payer, payee, 50)) == ["monthly_count"]
    bank.clock.at = midnight + timedelta(days=1)
    assert await words(bank, transfer(payer, payee, 50)) == ["completed"]
    assert await used(bank, payer) == {"monthly_count": 1}


async def test_a_hold_counts_when_it_is_placed_and_less_when_it_is_given_up(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, daily_count=2)
    held = hold(payer, payee, 80, expires_at=LATER)
    assert await words(bank, held, transfer(payer, payee, 21)) == ["held", "daily_sum"]
    assert await used(bank, payer) == {"daily_count": 1, "daily_sum": 80}
    assert await words(bank, void(held)) == ["ended"]
    assert await words(bank, void(held)) == ["ended"]
    assert await used(bank, payer) == {"daily_count": 0, "daily_sum": 0}
    assert await words(bank, transfer(payer, payee, 100)) == ["completed"]


async def test_a_hold_that_expires_is_given_back(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, monthly_count=1)
    assert await words(bank, hold(payer, payee, 80, expires_at=NOON + timedelta(hours=1))) == ["held"]
    bank.clock.at = NOON + timedelta(hours=2)
    async with bank.database.transaction() as connection:
        assert await expire_holds(connection, clock=bank.clock, new_id=uuid7) == 1
    assert await used(bank, payer) == {"daily_sum": 0, "monthly_count": 0}
    await assert_counted_as_the_ledger_says(bank, payer)


async def test_what_was_not_captured_is_given_back_and_the_tolerance_was_counted(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, daily_count=5, payment_max_minor=60)
    assert await words(bank, hold(payer, payee, 55, tolerance_minor=6, expires_at=LATER)) == ["payment_max"]
    held = hold(payer, payee, 50, tolerance_minor=10, captured_many_times=True, expires_at=LATER)
    assert await words(bank, held, capture(held, 20), transfer(payer, payee, 41)) == [
        "held",
        "completed",
        "daily_sum",
    ]
    assert await used(bank, payer) == {"daily_count": 1, "daily_sum": 60}
    assert await words(bank, capture(held, 35, final=True)) == ["completed"]
    assert await used(bank, payer) == {"daily_count": 1, "daily_sum": 55}
    await assert_counted_as_the_ledger_says(bank, payer)
    assert await words(bank, transfer(payer, payee, 45), transfer(payer, payee, 1)) == [
        "completed",
        "daily_sum",
    ]


async def test_what_was_held_yesterday_is_given_back_to_yesterday_and_the_month(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100, monthly_sum_minor=150)
    held = [hold(payer, payee, 40, expires_at=LATER) for _ in range(2)]
    assert await words(bank, *held) == ["held", "held"]
    bank.clock.at = NOON + timedelta(days=1)
    assert await words(bank, transfer(payer, payee, 30), transfer(payer, payee, 41)) == [
        "completed",
        "monthly_sum",
    ]
    assert await words(bank, void(held[0]), capture(held[1], 10)) == ["ended", "completed"]
    assert await used(bank, payer) == {"daily_sum": 30, "monthly_sum": 40}
    bank.clock.at = NOON
    assert await used(bank, payer) == {"daily_sum": 10, "monthly_sum": 40}
    await assert_counted_as_the_ledger_says(bank, payer)
