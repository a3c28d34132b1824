"""The terms of a payment beyond who pays whom how much: its hold, its conditions, how its parties were named.

They are part of the immutable record and are kept as they were asked for, so that a retry can be compared
with them whatever has changed since. A plain payment has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from transaction_service.domain.hashing import canonical_time

DEFAULT_HOLD_S = 7 * 24 * 3600
MAX_HOLD_S = 31 * 24 * 3600
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """How long money is held, from acceptance on or until an instant (exactly one of the two), how often it
    may be captured, and how far all captures together may pass what was held."""

    expires_in_s: int | None = DEFAULT_HOLD_S
    expires_at: datetime | None = None
    captured_many_times: bool = False
    tolerance_minor: int = 0

    def __post_init__(self) -> None:
        assert (self.expires_in_s is None) != (self.expires_at is None), "a hold ends at one time"

    def end(self, *, accepted_at: datetime) -> datetime:
        """Return when the hold expires, of a payment accepted at this time."""
        if self.expires_at is not None:
            return self.expires_at
        assert self.expires_in_s is not None
        return accepted_at + timedelta(seconds=self.expires_in_s)

    def is_timely(self, *, accepted_at: datetime) -> bool:
        """Whether it would expire after, and not too long after, this time."""
        length = self.end(accepted_at=accepted_at) - accepted_at
        return timedelta() < length <= timedelta(seconds=MAX_HOLD_S)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be true of the debtor's account when the money moves."""

    version: int | None = None
    available_at_least_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms of one payment. `final` is a capture's: it releases what is left of the hold.

    `named` holds, for each party that was not named by account, a digest of how it was named.
    """

    hold: HoldTerms | None = None
    conditions: Conditions | None = None
    final: bool | None = None
    named: Mapping[str, str] = field(default_factory=lambda: _NONE)

    def form(self) -> dict[str, Any]:
        """Return the canonical form, in which nothing stands that was not asked for."""
        form: dict[str, Any] = {}
        if self.hold is not None:
            form["hold"] = _hold_form(self.hold)
        if self.conditions is not None:
            form["conditions"] = {
                "version": self.conditions.version,
                "available_at_least_minor": self.conditions.available_at_least_minor,
            }
        if self.final is not None:
            form["final"] = self.final
        if self.named:
            form["named"] = dict(self.named)
        return form

    @classmethod
    def of_form(cls, form: Mapping[str, Any]) -> "Terms":
        """Read the canonical form back."""
        hold, conditions = form.get("hold"), form.get("conditions")
        return cls(
            hold=None if hold is None else HoldTerms(**{**hold, "expires_at": _time(hold["expires_at"])}),
            conditions=None if conditions is None else Conditions(**conditions),
            final=form.get("final"),
            named=form.get("named", _NONE),
        )


_FIELDS = {f"conditions.{name}": f"if_{name}" for name in Conditions.__slots__}


def field_of_request(field: str | None) -> str | None:
    """Name a field of the ledger's as the client has written it."""
    return None if field is None else _FIELDS.get(field, field)


def differing_terms(first: Terms | None, second: Terms | None) -> list[str]:
    """Name what differs, as the API names it; how parties were named is compared with the parties."""
    one, other = first or Terms(), second or Terms()
    fields = [name for name in ("hold", "final") if getattr(one, name) != getattr(other, name)]
    here, there = one.conditions or Conditions(), other.conditions or Conditions()
    fields += [f"if_{name}" for name in Conditions.__slots__ if getattr(here, name) != getattr(there, name)]
    return fields


def _hold_form(hold: HoldTerms) -> dict[str, Any]:
    return {
        "expires_in_s": hold.expires_in_s,
        "expires_at": None if hold.expires_at is None else canonical_time(hold.expires_at),
        "captured_many_times": hold.captured_many_times,
        "tolerance_minor": hold.tolerance_minor,
    }


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
