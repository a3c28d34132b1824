"""Days and months by the calendar of an account's own time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

_A_DAY = timedelta(days=1)
_A_SECOND = timedelta(seconds=1)


class Period(StrEnum):
    """How long usage is counted before it begins anew."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """One day or month: from `starts_at` inclusive to `ends_at` exclusive, both UTC.

    `starts_on` is its first date in the time zone.
    """

    period: Period
    starts_on: date
    starts_at: datetime
    ends_at: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at


def window_of(period: Period, time_zone: str, at: datetime) -> Window:
    """The day or month that the instant lies in, by the time zone's calendar.

    A day begins at its first instant, which is not midnight where clocks are set forward over it, and has
    23 or 25 hours where they change within it. Once begun it goes on: a clock that is set back over midnight
    does not bring the day before back. Windows leave no gap and never overlap.
    """
    day = _day_of(time_zone, at)
    if period is Period.DAY:
        return _window(period, time_zone, day, day + _A_DAY)
    first = day.replace(day=1)
    return _window(period, time_zone, first, (first + timedelta(days=31)).replace(day=1))


def is_time_zone(name: str) -> bool:
    """True for the name of a place, or UTC, in the time zone database (IANA)."""
    return name in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    # Two files of the machine's own lie among the zones of some systems.
    return frozenset(available_timezones() - {"localtime", "posixrules"})


def _window(period: Period, time_zone: str, first: date, after: date) -> Window:
    return Window(period, first, _starts_at(time_zone, first), _starts_at(time_zone, after))


def _day_of(time_zone: str, at: datetime) -> date:
    day = at.astimezone(ZoneInfo(time_zone)).date()
    if at >= _starts_at(time_zone, day + _A_DAY):
        return day + _A_DAY
    return day


@lru_cache(maxsize=4096)
def _starts_at(time_zone: str, day: date) -> datetime:
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    # The first of two midnights, where clocks are set back over one.
    late = midnight.astimezone(UTC)
    if _clock(zone, late) == midnight.replace(tzinfo=None):
        return late
    # There is no such midnight: the day begins with the instant at which clocks are set forward over it.
    early = midnight.replace(fold=1).astimezone(UTC)
    while late - early > _A_SECOND:
        middle = early + timedelta(seconds=(late - early) // (2 * _A_SECOND))
        if _clock(zone, middle) < midnight.replace(tzinfo=None):
            early = middle
        else:
            late = middle
    return late


def _clock(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
