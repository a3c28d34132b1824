"""The keys that sign tokens: one signs, one stands by and is known to all, the old ones still verify."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

# Longer than a token lives, by more than clocks may differ.
DEFAULT_OVERLAP = timedelta(minutes=15)
LONGEST_OVERLAP = timedelta(days=1)
# By then every service has the key: the feed tells of it within a second, and it is fetched within another.
KNOWN_AFTER = timedelta(seconds=5)


class SigningState(StrEnum):
    """Where a key stands; it goes one way only."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


NEXT: Mapping[SigningState, frozenset[SigningState]] = {
    SigningState.NEXT: frozenset({SigningState.ACTIVE}),
    SigningState.ACTIVE: frozenset({SigningState.RETIRED}),
    SigningState.RETIRED: frozenset(),
}
assert set(NEXT) == set(SigningState), "every state must say where it leads"


class StandbyTooYoung(Exception):
    """The key that stands by was made so recently that some service may not know it yet."""

    def __init__(self, left: timedelta) -> None:
        super().__init__(left)
        self.left = left


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An Ed25519 key. `sealed` is its private half under the key-encryption key named."""

    kid: str
    state: SigningState
    public_key: bytes
    sealed: bytes = field(repr=False)
    key_encryption_key: str
    made_at: datetime
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    verify_until: datetime | None = None

    def require_known(self, at: datetime) -> None:
        """Raises StandbyTooYoung as long as some service may not know it."""
        left = self.made_at + KNOWN_AFTER - at
        if left > timedelta():
            raise StandbyTooYoung(left)

    def verifies(self, at: datetime) -> bool:
        """Whether a token signed by it may still be believed."""
        return self.verify_until is None or at < self.verify_until
