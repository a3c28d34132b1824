"""A clock that a test sets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class StillClock:
    """Shows the real time until it is set or moved."""

    at: datetime | None = None

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)

    def move(self, **by: float) -> None:
        """Stand still, later by this much than it shows."""
        self.at = self.now() + timedelta(**by)
