"""Days and months as time zones have them: no gap, no overlap, and the zone's own dates."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from account_service.domain.windows import Period, Window, is_time_zone, window_of
from hypothesis import given
from hypothesis import strategies as st

ZONES = sorted(available_timezones() - {"localtime", "posixrules"})
zones = st.sampled_from(ZONES)
instants = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
periods = st.sampled_from(list(Period))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def day(zone: str, at: str) -> tuple[date, datetime, timedelta]:
    window = window_of(Period.DAY, zone, utc(at))
    return window.starts_on, window.starts_at, window.ends_at - window.starts_at


@pytest.mark.parametrize(
    ("zone", "at", "starts_on", "starts_at", "hours"),
    [
        ("UTC", "2026-11-20T23:59:59.999999", "2026-11-20", "2026-11-20T00:00", 24),
        ("UTC", "2026-11-21T00:00", "2026-11-21", "2026-11-21T00:00", 24),
        ("Europe/Prague", "2026-11-20T23:00", "2026-11-21", "2026-11-20T23:00", 24),
        ("Europe/Prague", "2026-03-29T12:00", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Prague", "2026-10-25T12:00", "2026-10-25", "2026-10-24T22:00", 25),
        ("Asia/Kathmandu", "2026-01-01T18:15", "2026-01-02", "2026-01-01T18:15", 24),
        ("Pacific/Kiritimati", "2026-01-01T10:00", "2026-01-02", "2026-01-01T10:00", 24),
        ("Australia/Lord_Howe", "2026-10-04T00:00", "2026-10-04", "2026-10-03T13:30", 23.5),
        # Clocks are set forward at midnight: the day begins at one o'clock.
        ("America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04", "2018-11-04T03:00", 23),
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-24", "2026-04-23T22:00", 23),
        # Half an hour before midnight they were set forward by an hour, so that no clock showed midnight.
        ("America/Toronto", "1919-03-31T12:00", "1919-03-31", "1919-03-31T04:30", 23.5),
        # Clocks are set back at one o'clock to a second midnight: the day begins at the first.
        ("America/Havana", "2026-11-01T04:30", "2026-11-01", "2026-11-01T04:00", 25),
        ("America/Havana", "2026-11-01T05:30", "2026-11-01", "2026-11-01T04:00", 25),
        # Clocks were set back over midnight, a minute after it: the day that had begun went on.
        ("America/St_Johns", "2010-11-07T02:30:30", "2010-11-07", "2010-11-07T02:30", 25),
        ("America/St_Johns", "2010-11-07T02:31:30", "2010-11-07", "2010-11-07T02:30", 25),
        # The thirtieth did not take place.
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29", "2011-12-29T10:00", 24),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-31", "2011-12-30T10:00", 24),
    ],
)
def test_a_day_is_that_of_the_time_zone(
    zone: str, at: str, starts_on: str, starts_at: str, hours: float
) -> None:
    assert day(zone, at) == (date.fromisoformat(starts_on), utc(starts_at), timedelta(hours=hours))


@pytest.mark.parametrize(
    ("zone", "at", "starts_at", "ends_at"),
    [
        ("UTC", "2024-02-29T12:00", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("UTC", "2026-12-31T23:59:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("Europe/Prague", "2026-03-31T21:59:59", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("Europe/Prague", "2026-03-31T22:00", "2026-03-31T22:00", "2026-04-30T22:00"),
        ("America/Los_Angeles", "2026-11-01T06:59", "2026-10-01T07:00", "2026-11-01T07:00"),
        ("Pacific/Auckland", "2026-01-31T11:00", "2026-01-31T11:00", "2026-02-28T11:00"),
    ],
)
def test_a_month_ends_at_the_time_zones_midnight(zone: str, at: str, starts_at: str, ends_at: str) -> None:
    window = window_of(Period.MONTH, zone, utc(at))
    assert (window.starts_at, window.ends_at) == (utc(starts_at), utc(ends_at))
    assert window.starts_on.day == 1


@given(zones, instants, periods)
def test_every_instant_lies_in_its_window_and_windows_meet(zone: str, at: datetime, period: Period) -> None:
    window = window_of(period, zone, at)
    assert at in window
    assert window_of(period, zone, window.starts_at) == window
    last = window.ends_at - timedelta(microseconds=1)
    assert window_of(period, zone, last) == window
    following = window_of(period, zone, window.ends_at)
    assert following.starts_at == window.ends_at
    assert following.starts_on > window.starts_on
    assert window_of(period, zone, window.starts_at - timedelta(microseconds=1)).ends_at == window.starts_at


@given(zones, instants)
def test_a_day_is_the_date_on_the_zones_clock_or_the_one_that_clocks_were_set_back_from(
    zone: str, at: datetime
) -> None:
    window = window_of(Period.DAY, zone, at)
    shown = at.astimezone(ZoneInfo(zone)).date()
    if shown != window.starts_on:
        assert shown < window.starts_on
        before = window.starts_at.astimezone(ZoneInfo(zone)).utcoffset()
        now = at.astimezone(ZoneInfo(zone)).utcoffset()
        assert before is not None
        assert now is not None
        assert now < before


@given(zones, instants)
def test_a_month_is_made_of_its_days(zone: str, at: datetime) -> None:
    month = window_of(Period.MONTH, zone, at)
    days: list[Window] = []
    reached = month.starts_at
    while reached < month.ends_at:
        days.append(window_of(Period.DAY, zone, reached))
        reached = days[-1].ends_at
    assert (days[0].starts_at, days[-1].ends_at) == (month.starts_at, month.ends_at)
    assert all(one.starts_on < another.starts_on for one, another in pairwise(days))
    assert 27 <= len(days) <= 31


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague", "US/Pacific", "Etc/GMT+12"])
def test_a_place_of_the_database_is_a_time_zone(zone: str) -> None:
    assert is_time_zone(zone)


@pytest.mark.parametrize(
    "name", ["", "europe/prague", "CEST?", "+01:00", "../etc/passwd", "localtime", "Prague"]
)
def test_what_is_no_place_of_the_database_is_none(name: str) -> None:
    assert not is_time_zone(name)
