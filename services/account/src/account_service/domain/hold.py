"""A hold: money that stays on the account and cannot be spent, until it is captured, voided or expires."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class HoldState(StrEnum):
    """OPEN until one of the others ends it, once and for ever."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


NEXT: Mapping[HoldState, frozenset[HoldState]] = {
    HoldState.OPEN: frozenset({HoldState.CAPTURED, HoldState.VOIDED, HoldState.EXPIRED}),
    HoldState.CAPTURED: frozenset(),
    HoldState.VOIDED: frozenset(),
    HoldState.EXPIRED: frozenset(),
}
assert set(NEXT) == set(HoldState), "every state must say where it leads"
assert not any(NEXT[end] for end in NEXT[HoldState.OPEN]), "what has ended has ended"

EXPIRY_REASON, EXPIRY_AUTHOR = "not captured in time", "florin"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTerms:
    """Until when the money is held, whether it may be captured in several parts, and how far beyond.

    All captures together pass the amount held by no more than `tolerance_minor`.
    """

    expires_at: datetime
    captured_many_times: bool = False
    tolerance_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTerms:
    """A capture takes from the hold of the payment `of`; a final one releases the rest."""

    of: UUID
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must be true of the debtor's account just before the money moves; None asks for nothing."""

    version: int | None = None
    available_at_least_minor: int | None = None


@dataclass(frozen=True, slots=True)
class HoldEnd:
    """How and why a hold ended."""

    state: HoldState
    reason: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Money of `debtor` that is kept for `creditor`; `end` is None while the hold is open."""

    payment_id: UUID
    client_id: str
    debtor: str
    creditor: str
    account_id: int  # the debtor's
    amount_minor: int
    currency: str
    terms: HoldTerms
    placed_at: datetime
    captured_minor: int = 0
    end: HoldEnd | None = None
    conditions: Conditions | None = None  # on which it was placed

    @property
    def state(self) -> HoldState:
        """OPEN, or what ended it."""
        return HoldState.OPEN if self.end is None else self.end.state

    @property
    def remaining_minor(self) -> int:
        """What it still holds: its part of the account's held balance."""
        return 0 if self.end is not None else max(self.amount_minor - self.captured_minor, 0)

    @property
    def released_minor(self) -> int:
        """What became available again when it ended."""
        return 0 if self.end is None else max(self.amount_minor - self.captured_minor, 0)

    @property
    def limit_minor(self) -> int:
        """How much all captures together may take."""
        return self.amount_minor + self.terms.tolerance_minor

    def is_due(self, at: datetime) -> bool:
        """True from the instant it expires: no capture passes from then on."""
        return at >= self.terms.expires_at

    def captured(self, amount_minor: int, *, final: bool, at: datetime) -> "Hold":
        """After one more capture. It ends with the first, unless it was opened for many; else with the final
        one, or with the one after which nothing more can be taken."""
        assert self.end is None, "a hold ends once"
        captured_minor = self.captured_minor + amount_minor
        assert captured_minor <= self.limit_minor, "never beyond amount and tolerance"
        end = None
        if final or not self.terms.captured_many_times or captured_minor == self.limit_minor:
            reason = "captured in full" if captured_minor >= self.amount_minor else "captured in part"
            end = HoldEnd(HoldState.CAPTURED, reason, f"client:{self.client_id}", at)
        return replace(self, captured_minor=captured_minor, end=end)

    def ended(self, end: HoldEnd) -> "Hold":
        """After it was voided or has expired."""
        assert end.state in NEXT[self.state], "a hold ends once"
        return replace(self, end=end)
