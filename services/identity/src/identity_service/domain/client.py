"""A client: an upstream system that may call, and what its keys may be allowed at most."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class ClientStatus(StrEnum):
    """A suspended client's keys and tokens open nothing until it is resumed."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class ClientChange(StrEnum):
    """What happened to a client."""

    REGISTERED = "registered"
    SUSPENDED = "suspended"
    RESUMED = "resumed"


class ClientNotFound(LookupError):
    """There is no such client, or it is not the caller's to see."""


class ClientExists(Exception):
    """The id is taken."""


class ClientSuspended(Exception):
    """The client is suspended: it gets no keys and no tokens."""


class ScopesNotGranted(Exception):
    """Scopes were asked for that the client (or the key) does not have."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = tuple(sorted(scopes))
        super().__init__(", ".join(self.scopes))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """`id` is what all services know it by; `scopes` is the most that any of its keys may have."""

    id: str
    name: str
    scopes: frozenset[str]
    status: ClientStatus
    registered_at: datetime
    updated_at: datetime

    def suspended(self, at: datetime) -> "RegisteredClient":
        """The client, shut out."""
        return replace(self, status=ClientStatus.SUSPENDED, updated_at=at)

    def resumed(self, at: datetime) -> "RegisteredClient":
        """The client, let in again."""
        return replace(self, status=ClientStatus.ACTIVE, updated_at=at)

    def require_active(self) -> None:
        """Raises ClientSuspended."""
        if self.status is not ClientStatus.ACTIVE:
            raise ClientSuspended(self.id)

    def require_scopes(self, scopes: frozenset[str]) -> None:
        """Raises ScopesNotGranted for what the client does not have itself."""
        if not scopes <= self.scopes:
            raise ScopesNotGranted(scopes - self.scopes)
