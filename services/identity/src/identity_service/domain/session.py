"""A person's session: begun by two factors, ended by sign-out, by idleness, by age, or by whoever may."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

IDLE = timedelta(minutes=30)
LIFE = timedelta(hours=12)
# For how long a second factor counts as fresh.
FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`id` is what people see and revoke by; what opens the session only the browser knows."""

    id: UUID
    person_id: UUID
    client_id: str
    begun_at: datetime
    second_factor_at: datetime
    seen_at: datetime
    address: str
    agent: str

    def ended(self, *, now: datetime) -> bool:
        """Whether it has been idle for too long, or is too old."""
        return now >= self.seen_at + IDLE or now >= self.begun_at + LIFE

    def seen(self, *, now: datetime) -> "Session":
        """The session, used now."""
        return replace(self, seen_at=now)

    def stepped_up(self, *, now: datetime) -> "Session":
        """The session, with a second factor shown now."""
        return replace(self, seen_at=now, second_factor_at=now)

    def begun_anew(self, *, now: datetime) -> "Session":
        """The session, begun now: it stands where all that began before has ended."""
        return replace(self, begun_at=now, seen_at=now)


class SessionEnded(Exception):
    """There is no such session, or none any more."""


class SecondFactorStale(Exception):
    """What was asked needs a second factor shown within the last minutes."""
