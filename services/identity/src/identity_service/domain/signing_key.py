"""The keys that sign tokens: one signs, one stands by and is known to all, the old ones still verify."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

# Longer than a token lives, by more than clocks may differ.
DEFAULT_OVERLAP = timedelta(minutes=15)
LONGEST_OVERLAP = timedelta(days=1)


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

    def verifies(self, at: datetime) -> bool:
        """Whether a token signed by it may still be believed."""
        return self.verify_until is None or at < self.verify_until
