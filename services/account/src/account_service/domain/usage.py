"""What the payments of one batch use of their accounts' limits, each seeing what those before it used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from account_service.domain.limits import AccountLimits, BrokenLimit
from account_service.domain.windows import Period, window_of


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What counted in a window that is over, and has not left the account after all."""

    account_id: int
    period: Period
    starts_on: date
    count: int
    sum_minor: int
    counted_under: int


@dataclass(slots=True)
class BatchUsage:
    """The limits of the batch's accounts; an account that is not among them has none."""

    standing: dict[int, AccountLimits]
    changed: dict[int, AccountLimits] = field(default_factory=dict)
    given_back: list[GivenBack] = field(default_factory=list)

    @classmethod
    def of(cls, accounts: Iterable[AccountLimits]) -> "BatchUsage":
        """The limits as they stand before the batch."""
        standing = {limits.account_id: limits for limits in accounts}
        return cls(standing, {id_: limits for id_, limits in standing.items() if not limits.is_saved})

    def broken_by(self, account_id: int, amount_minor: int) -> BrokenLimit | None:
        """The limit that stands in the way of the amount leaving the account."""
        limits = self.standing.get(account_id)
        return None if limits is None else limits.broken_by(amount_minor)

    def count(self, account_id: int, amount_minor: int, *, at: datetime) -> None:
        """One payment more leaves the account, or is held to leave it."""
        limits = self.standing.get(account_id)
        if limits is not None:
            self._set(limits.counting(1, amount_minor, at=at))

    def give_back(self, account_id: int, *, counted_at: datetime, count: int, sum_minor: int) -> None:
        """A hold has ended and less has left than counted at `counted_at`; `count` is 1 if nothing has."""
        limits = self.standing.get(account_id)
        if limits is None:
            return
        self._set(limits.counting(-count, -sum_minor, at=counted_at))
        for period, current in limits.windows.items():
            if counted_at not in current:
                window = window_of(period, limits.time_zone, counted_at)
                self.given_back.append(
                    GivenBack(account_id, period, window.starts_on, count, sum_minor, limits.counted_under)
                )

    def to_write(self) -> Sequence[AccountLimits]:
        """The accounts whose usage is another than what is written."""
        return tuple(self.changed.values())

    def _set(self, limits: AccountLimits) -> None:
        self.standing[limits.account_id] = self.changed[limits.account_id] = limits
