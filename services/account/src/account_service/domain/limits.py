"""Limits on what leaves an account: a payment alone, and all payments of a day and of a month together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum

from account_service.domain.windows import Period, Window


class LimitScope(StrEnum):
    """Whom a set of limits is for, the narrowest first."""

    ACCOUNT = "account"
    KYC_LEVEL = "kyc_level"
    CLIENT = "client"


class Limit(StrEnum):
    """The figures of a set, in the order in which they are tried. Sums and amounts are minor units."""

    PAYMENT_MIN = "payment_min"
    PAYMENT_MAX = "payment_max"
    DAILY_COUNT = "daily_count"
    DAILY_SUM = "daily_sum"
    MONTHLY_COUNT = "monthly_count"
    MONTHLY_SUM = "monthly_sum"


_PERIODS: Mapping[Limit, Period] = {
    Limit.DAILY_COUNT: Period.DAY,
    Limit.DAILY_SUM: Period.DAY,
    Limit.MONTHLY_COUNT: Period.MONTH,
    Limit.MONTHLY_SUM: Period.MONTH,
}
_COUNTS = frozenset({Limit.DAILY_COUNT, Limit.MONTHLY_COUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSet:
    """What one scope says of one currency; None is no limit. Zero lets nothing out."""

    payment_min: int | None = None
    payment_max: int | None = None
    daily_count: int | None = None
    daily_sum: int | None = None
    monthly_count: int | None = None
    monthly_sum: int | None = None

    def __post_init__(self) -> None:
        assert all(value is None or value >= 0 for value in self.figures().values()), "no limit is negative"

    def figures(self) -> dict[Limit, int | None]:
        """Every figure under its name."""
        return {limit: getattr(self, limit.value) for limit in Limit}

    @property
    def is_empty(self) -> bool:
        """True when the set limits nothing."""
        return all(value is None for value in self.figures().values())


assert {field.name for field in fields(LimitSet)} == {limit.value for limit in Limit}, (
    "a figure has its field"
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A limit as it holds for an account, and the scope that it comes from."""

    figure: int
    scope: LimitScope


def strictest(sets: Iterable[tuple[LimitScope, LimitSet]]) -> Mapping[Limit, Allowed]:
    """Of each figure the strictest that any scope sets: the largest minimum, the smallest of all others.

    A wider scope can therefore be tightened for an account and never loosened. Between equals the narrower
    scope is named.
    """
    by_scope = dict(sets)
    allowed: dict[Limit, Allowed] = {}
    for scope in LimitScope:
        limits = by_scope.get(scope)
        if limits is None:
            continue
        for limit, figure in limits.figures().items():
            if figure is not None and (limit not in allowed or _stricter(limit, figure, allowed[limit])):
                allowed[limit] = Allowed(figure, scope)
    return {limit: allowed[limit] for limit in Limit if limit in allowed}


def _stricter(limit: Limit, figure: int, standing: Allowed) -> bool:
    return figure > standing.figure if limit is Limit.PAYMENT_MIN else figure < standing.figure


@dataclass(frozen=True, slots=True)
class Used:
    """What has left an account within a window, or is held to leave: how many payments, how much together."""

    count: int = 0
    sum_minor: int = 0

    def plus(self, count: int, sum_minor: int) -> "Used":
        """So much more, or less."""
        return Used(self.count + count, self.sum_minor + sum_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLimit:
    """The limit that a payment would pass; `used` and `window` for those that count over a window."""

    limit: Limit
    allowed: Allowed
    asked: int
    used: int | None = None
    window: Window | None = None

    def figures(self) -> dict[str, int | str]:
        """What the payer is told."""
        told: dict[str, int | str] = {
            "limit": self.limit.value,
            "scope": self.allowed.scope.value,
            "allowed": self.allowed.figure,
            "asked": self.asked,
        }
        if self.used is not None and self.window is not None:
            told["used"] = self.used
            told["window_start"] = self.window.starts_at.isoformat()
            told["window_end"] = self.window.ends_at.isoformat()
        return told


@dataclass(frozen=True, slots=True)
class AllowedAndUsed:
    """A limit with what stands against it; `used` and `window` for those that count over a window."""

    limit: Limit
    allowed: Allowed
    used: int | None
    window: Window | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What one account is held to, and what it has used in the windows of this instant.

    `counted_under` is the number of the newest change of its limits; `is_saved` is False when the usage was
    worked out from the ledger.
    """

    account_id: int
    time_zone: str
    counted_under: int
    is_saved: bool
    limits: Mapping[Limit, Allowed]
    windows: Mapping[Period, Window]
    used: Mapping[Period, Used]

    def broken_by(self, amount_minor: int) -> BrokenLimit | None:
        """The first limit, in their order, that a payment of the amount would pass."""
        for one in self.standing():
            asked = 1 if one.limit in _COUNTS else amount_minor
            broken = (
                asked < one.allowed.figure
                if one.limit is Limit.PAYMENT_MIN
                else (one.used or 0) + asked > one.allowed.figure
            )
            if broken:
                return BrokenLimit(
                    limit=one.limit, allowed=one.allowed, asked=asked, used=one.used, window=one.window
                )
        return None

    def standing(self) -> Iterable[AllowedAndUsed]:
        """Each limit with what is used of it."""
        for limit, allowed in self.limits.items():
            period = _PERIODS.get(limit)
            if period is None:
                yield AllowedAndUsed(limit, allowed, None, None)
                continue
            used = self.used[period]
            told = used.count if limit in _COUNTS else used.sum_minor
            yield AllowedAndUsed(limit, allowed, told, self.windows[period])

    def counting(self, count: int, sum_minor: int, *, at: datetime) -> "AccountLimits":
        """After payments that count, or less when what counted at that instant is given back.

        What counted in a window that is over changes nothing here.
        """
        used = {
            period: self.used[period].plus(count, sum_minor) if at in window else self.used[period]
            for period, window in self.windows.items()
        }
        assert all(one.count >= 0 and one.sum_minor >= 0 for one in used.values()), (
            "given back once, not twice"
        )
        return replace(self, used=used)
