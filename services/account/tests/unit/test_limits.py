"""What limits let out of an account, for any sets, any payments and any hour."""

from datetime import UTC, datetime, timedelta

import pytest
from account_service.domain.limits import (
    Allowed,
    Limit,
    LimitScope,
    LimitSet,
    Used,
    strictest,
)
from account_service.domain.usage import BatchUsage, GivenBack
from account_service.domain.windows import Period

from .limiting import AT, ID, account, client, held_to, kyc


def test_the_strictest_of_each_figure_holds_whichever_scope_sets_it() -> None:
    limits = strictest(
        [
            client(payment_min=5, payment_max=100, daily_sum=500),
            kyc(payment_min=10, payment_max=200, monthly_sum=900),
            account(payment_max=150, daily_sum=500, daily_count=3),
        ]
    )
    assert limits == {
        Limit.PAYMENT_MIN: Allowed(10, LimitScope.KYC_LEVEL),
        Limit.PAYMENT_MAX: Allowed(100, LimitScope.CLIENT),
        Limit.DAILY_COUNT: Allowed(3, LimitScope.ACCOUNT),
        Limit.DAILY_SUM: Allowed(500, LimitScope.ACCOUNT),
        Limit.MONTHLY_SUM: Allowed(900, LimitScope.KYC_LEVEL),
    }
    assert list(limits) == [limit for limit in Limit if limit in limits]


def test_an_empty_set_limits_nothing_and_a_zero_everything() -> None:
    assert LimitSet().is_empty
    assert not LimitSet(daily_count=0).is_empty
    assert held_to(client(), account()).broken_by(10**15) is None
    for figures in ({"payment_max": 0}, {"daily_count": 0}, {"daily_sum": 0}, {"monthly_sum": 0}):
        assert held_to(account(**figures)).broken_by(1) is not None


@pytest.mark.parametrize(
    ("figures", "used", "most"),
    [
        ({"payment_max": 100}, (5, 999), 100),
        ({"daily_sum": 100}, (5, 40), 60),
        ({"monthly_sum": 100}, (5, 99), 1),
        ({"monthly_sum": 100, "daily_sum": 70, "payment_max": 30}, (5, 45), 25),
    ],
)
def test_amounts_pass_to_the_minor_unit(figures: dict[str, int], used: tuple[int, int], most: int) -> None:
    limits = held_to(account(**figures), used_day=used, used_month=used)
    assert limits.broken_by(most) is None
    assert limits.broken_by(most + 1) is not None


def test_a_minimum_refuses_what_is_below_it() -> None:
    limits = held_to(account(payment_min=10))
    assert limits.broken_by(10) is None
    broken = limits.broken_by(9)
    assert broken is not None
    assert broken.figures() == {"limit": "payment_min", "scope": "account", "allowed": 10, "asked": 9}


def test_a_count_is_reached_by_payments_of_any_size() -> None:
    assert held_to(account(daily_count=3), used_day=(2, 9)).broken_by(10**15) is None
    assert held_to(account(daily_count=3), used_day=(3, 9)).broken_by(1) is not None


def test_a_refusal_names_limit_used_asked_and_the_window() -> None:
    broken = held_to(kyc(daily_sum=100), used_day=(2, 95), used_month=(9, 900)).broken_by(6)
    assert broken is not None
    assert broken.figures() == {
        "limit": "daily_sum",
        "scope": "kyc_level",
        "allowed": 100,
        "used": 95,
        "asked": 6,
        "window_start": "2026-11-19T23:00:00+00:00",
        "window_end": "2026-11-20T23:00:00+00:00",
    }
    counted = held_to(client(monthly_count=9), used_month=(9, 900)).broken_by(6)
    assert counted is not None
    assert counted.figures() == {
        "limit": "monthly_count",
        "scope": "client",
        "allowed": 9,
        "used": 9,
        "asked": 1,
        "window_start": "2026-10-31T23:00:00+00:00",
        "window_end": "2026-11-30T23:00:00+00:00",
    }


def test_the_first_broken_limit_in_their_order_is_named() -> None:
    everything = {limit.value: 0 for limit in Limit if limit is not Limit.PAYMENT_MIN}
    for limit in Limit:
        if limit is not Limit.PAYMENT_MIN:
            broken = held_to(account(payment_min=1, **everything)).broken_by(1)
            assert broken is not None
            assert broken.limit is limit
            del everything[limit.value]


def test_what_is_given_back_counts_for_less_in_the_windows_that_still_run() -> None:
    usage = BatchUsage.of([held_to(account(daily_sum=100), used_day=(1, 60), used_month=(3, 90))])
    assert usage.broken_by(ID, 50) is not None
    usage.give_back(ID, counted_at=AT - timedelta(hours=1), count=1, sum_minor=60)
    assert usage.broken_by(ID, 100) is None
    [limits] = usage.to_write()
    assert limits.used == {Period.DAY: Used(0, 0), Period.MONTH: Used(2, 30)}
    assert usage.given_back == []


def test_what_was_counted_yesterday_is_given_back_to_yesterday() -> None:
    usage = BatchUsage.of([held_to(account(daily_sum=100), used_day=(1, 60), used_month=(3, 90))])
    usage.give_back(ID, counted_at=AT - timedelta(days=1), count=0, sum_minor=20)
    [limits] = usage.to_write()
    assert limits.used == {Period.DAY: Used(1, 60), Period.MONTH: Used(3, 70)}
    yesterday = (AT - timedelta(days=1)).date()
    assert usage.given_back == [GivenBack(ID, Period.DAY, yesterday, 0, 20, 1)]


def test_what_was_counted_last_month_changes_nothing_of_this_one() -> None:
    usage = BatchUsage.of([held_to(account(daily_sum=100), used_day=(1, 60), used_month=(3, 90))])
    usage.give_back(ID, counted_at=datetime(2026, 10, 31, 22, 59, tzinfo=UTC), count=1, sum_minor=20)
    [limits] = usage.to_write()
    assert limits.used == {Period.DAY: Used(1, 60), Period.MONTH: Used(3, 90)}
    assert {(one.period, one.starts_on.isoformat()) for one in usage.given_back} == {
        (Period.DAY, "2026-10-31"),
        (Period.MONTH, "2026-10-01"),
    }


def test_an_account_without_limits_is_not_counted() -> None:
    usage = BatchUsage.of([])
    assert usage.broken_by(ID, 10**15) is None
    usage.count(ID, 10**15, at=AT)
    usage.give_back(ID, counted_at=AT, count=1, sum_minor=10**15)
    assert not usage.to_write()
