"""API keys: what is known of one, and how a new one is written."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

PREFIX_BYTES = 5
SECRET_BYTES = 32
LONGEST_OVERLAP = timedelta(days=30)


class KeyState(StrEnum):
    """Whether a key opens anything at a given moment."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class KeyChange(StrEnum):
    """What happened to a key."""

    ISSUED = "issued"
    REPLACED = "replaced"
    REVOKED = "revoked"


class KeyNotFound(LookupError):
    """The client has no such key."""


class KeyEnded(Exception):
    """The key has expired, was revoked, or has been replaced: it cannot be replaced."""


class ExpiryPassed(Exception):
    """A key was asked for that would have expired already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret. `prefix` is what people know it by; from `not_after` on it opens nothing."""

    id: UUID
    prefix: str
    client_id: str
    label: str
    scopes: frozenset[str]
    issued_at: datetime
    not_after: datetime | None = None
    replaces: UUID | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def state(self, at: datetime) -> KeyState:
        """What the key is worth at a moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        ended = self.not_after is not None and self.not_after <= at
        return KeyState.EXPIRED if ended else KeyState.ACTIVE

    def revoked(self, at: datetime) -> "ApiKey":
        """The key, shut; one that is shut already stays as it was."""
        return self if self.revoked_at is not None else replace(self, revoked_at=at)

    def ending(self, at: datetime) -> "ApiKey":
        """The key, good until then at the latest."""
        return replace(self, not_after=at if self.not_after is None else min(self.not_after, at))


def write_key(random_bytes: Callable[[int], bytes]) -> str:
    """A new key's text: `flk_`, eight characters to know it by, `_`, 256 random bits."""
    prefix = base64.b32encode(random_bytes(PREFIX_BYTES)).decode().lower()
    secret = base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).decode().rstrip("=")
    return f"flk_{prefix}_{secret}"


def prefix_of(key: str) -> str:
    """The characters that a key is known by."""
    return key[4:12]
