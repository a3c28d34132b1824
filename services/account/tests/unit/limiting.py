"""Limits of one account at one hour, as unit tests make them."""

from datetime import UTC, datetime

from account_service.domain.limits import (
    AccountLimits,
    LimitScope,
    LimitSet,
    Used,
    strictest,
)
from account_service.domain.windows import Period, window_of

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


ZONE = "Europe/Prague"


ID = 7


def held_to(
    *sets: tuple[LimitScope, LimitSet],
    used_day: tuple[int, int] = (0, 0),
    used_month: tuple[int, int] = (0, 0),
    at: datetime = AT,
    zone: str = ZONE,
) -> AccountLimits:
    return AccountLimits(
        account_id=ID,
        time_zone=zone,
        counted_under=1,
        is_saved=True,
        limits=strictest(sets),
        windows={period: window_of(period, zone, at) for period in Period},
        used={Period.DAY: Used(*used_day), Period.MONTH: Used(*used_month)},
    )


def account(**figures: int) -> tuple[LimitScope, LimitSet]:
    return LimitScope.ACCOUNT, LimitSet(**figures)


def kyc(**figures: int) -> tuple[LimitScope, LimitSet]:
    return LimitScope.KYC_LEVEL, LimitSet(**figures)


def client(**figures: int) -> tuple[LimitScope, LimitSet]:
    return LimitScope.CLIENT, LimitSet(**figures)
