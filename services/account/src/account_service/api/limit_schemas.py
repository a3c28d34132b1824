"""Limits and time zones over the wire."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from account_service.api.schemas import Currency, Reason, Request
from account_service.domain.limits import AllowedAndUsed, Limit, LimitScope, LimitSet
from account_service.domain.windows import is_time_zone
from account_service.operations.read_limits import AccountLimitsView
from account_service.persistence.limit_sets import LimitChange
from account_service.persistence.time_zones import TimeZoneChange

MAX_COUNT = 1_000_000_000
KycLevel = Literal["none", "basic", "full"]


class UnknownTimeZone(ValueError):
    """Not in the time zone database."""

    code = "unknown_time_zone"


class MinimumAboveMaximum(ValueError):
    """No payment could pass."""

    code = "below_minimum"


def _known_time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise UnknownTimeZone("must be a name of the IANA time zone database, such as Europe/Prague")
    return name


_Amount = Annotated[int | None, Field(ge=0, le=MAX_AMOUNT_MINOR, description="In minor units.")]
_Sum = Annotated[int | None, Field(ge=0, le=MAX_BALANCE_MINOR, description="In minor units.")]
_Count = Annotated[int | None, Field(ge=0, le=MAX_COUNT)]
TimeZone = Annotated[
    str,
    Field(min_length=1, max_length=64, description="A name of the IANA time zone database."),
    AfterValidator(_known_time_zone),
]


class Figures(BaseModel):
    """All limits at once: a figure that is left out, or null, is no limit, and zero lets nothing out."""

    payment_min_minor: _Amount = None
    payment_max_minor: _Amount = None
    daily_count: _Count = None
    daily_sum_minor: _Sum = None
    monthly_count: _Count = None
    monthly_sum_minor: _Sum = None

    @field_validator("payment_max_minor")
    @classmethod
    def _must_leave_room(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("payment_min_minor")
        if value is not None and least is not None and value < least:
            raise MinimumAboveMaximum("must not be less than payment_min_minor")
        return value

    def limits(self) -> LimitSet:
        """The set as it is asked for."""
        return LimitSet(
            payment_min=self.payment_min_minor,
            payment_max=self.payment_max_minor,
            daily_count=self.daily_count,
            daily_sum=self.daily_sum_minor,
            monthly_count=self.monthly_count,
            monthly_sum=self.monthly_sum_minor,
        )


class FiguresIn(Request, Figures):
    """All limits at once, and why."""

    reason: Reason


class LimitsIn(FiguresIn):
    """Limits of many accounts, for one currency."""

    currency: Currency


class TimeZoneIn(Request):
    """The time zone to move the account to, and why."""

    time_zone: TimeZone
    reason: Reason


class LimitSetOut(BaseModel):
    """A set of limits as it was put in force, by whom and why; null is no limit."""

    currency: str
    payment_min_minor: int | None
    payment_max_minor: int | None
    daily_count: int | None
    daily_sum_minor: int | None
    monthly_count: int | None
    monthly_sum_minor: int | None
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None

    @classmethod
    def of(cls, change: LimitChange) -> Self:
        """Tell a set."""
        limits = change.limits
        return cls(
            currency=change.currency,
            payment_min_minor=limits.payment_min,
            payment_max_minor=limits.payment_max,
            daily_count=limits.daily_count,
            daily_sum_minor=limits.daily_sum,
            monthly_count=limits.monthly_count,
            monthly_sum_minor=limits.monthly_sum,
            reason=change.reason,
            author=change.author,
            changed_at=change.changed_at,
            proposal_id=change.proposal_id,
        )


class LimitSets(BaseModel):
    """The sets in force, one for each currency that ever had one."""

    items: list[LimitSetOut]


class LimitChangePage(BaseModel):
    """Every set that was ever in force, newest first."""

    items: list[LimitSetOut]
    next_cursor: str | None


class EffectiveLimitOut(BaseModel):
    """The strictest of one figure, and the scope it comes from.

    Counts and sums of a window tell what is used and left of them, and when they begin anew.
    """

    limit: Limit
    scope: LimitScope
    allowed: int
    used: int | None
    left: int | None
    window_start: datetime | None
    resets_at: datetime | None

    @classmethod
    def of(cls, one: AllowedAndUsed) -> Self:
        """Tell a limit."""
        return cls(
            limit=one.limit,
            scope=one.allowed.scope,
            allowed=one.allowed.figure,
            used=one.used,
            # A limit that was lowered may be passed already.
            left=None if one.used is None else max(one.allowed.figure - one.used, 0),
            window_start=None if one.window is None else one.window.starts_at,
            resets_at=None if one.window is None else one.window.ends_at,
        )


class AccountLimitsOut(BaseModel):
    """What an account is held to: `own` is its own set, `effective` what holds with all others together.

    `kyc_level` is null for an account without a customer: no level's limits are for it.
    """

    account: str
    currency: str
    time_zone: str
    kyc_level: KycLevel | None
    own: LimitSetOut | None
    effective: list[EffectiveLimitOut]

    @classmethod
    def of(cls, view: AccountLimitsView) -> Self:
        """Tell an account's limits."""
        return cls.model_validate(
            {
                "account": view.account.reference,
                "currency": view.account.currency,
                "time_zone": view.time_zone,
                "kyc_level": view.kyc_level,
                "own": None if view.own is None else LimitSetOut.of(view.own),
                "effective": [EffectiveLimitOut.of(one) for one in view.effective],
            }
        )


class TimeZoneChangeOut(BaseModel):
    """One change of an account's time zone."""

    previous: str
    time_zone: str
    reason: str
    author: str
    changed_at: datetime

    @classmethod
    def of(cls, change: TimeZoneChange) -> Self:
        """Tell a change."""
        return cls.model_validate(change, from_attributes=True)


class TimeZoneChangePage(BaseModel):
    """Changes, newest first."""

    items: list[TimeZoneChangeOut]
    next_cursor: str | None
