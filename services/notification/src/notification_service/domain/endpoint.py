"""A client's webhook endpoint and the states it can be in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID


class EndpointStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


NEXT: Final[Mapping[EndpointStatus, frozenset[EndpointStatus]]] = {
    EndpointStatus.ACTIVE: frozenset({EndpointStatus.DISABLED, EndpointStatus.REMOVED}),
    EndpointStatus.DISABLED: frozenset({EndpointStatus.ACTIVE, EndpointStatus.REMOVED}),
    # Removed endpoints are kept, and may be taken up again.
    EndpointStatus.REMOVED: frozenset({EndpointStatus.ACTIVE}),
}
assert set(NEXT) == set(EndpointStatus)


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing, as the client reads it."""

    REMOVED_BY_CLIENT = "removed_by_client"
    RECEIVER_GONE = "receiver_gone"  # it answered 410
    FAILING_TOO_LONG = "failing_too_long"


class EndpointNotFound(Exception):
    """The client has no such webhook endpoint."""


class EndpointNotActive(Exception):
    """The webhook endpoint is disabled: enable it first."""


class EndpointExists(Exception):
    """The client already has a webhook endpoint with this URL."""

    def __init__(self, endpoint_id: UUID) -> None:
        super().__init__(str(endpoint_id))
        self.endpoint_id = endpoint_id


class TooManyEndpoints(Exception):
    """The client has as many webhook endpoints as it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one client hears of its payments, and of which event types."""

    id: UUID
    client_id: str
    url: str
    description: str | None
    event_types: tuple[str, ...]
    status: EndpointStatus
    status_reason: DisabledReason | None
    status_changed_at: datetime
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime

    def disabled(self, reason: DisabledReason, *, at: datetime) -> Self:
        """The endpoint after it is switched off; unchanged if it already was."""
        removed = reason is DisabledReason.REMOVED_BY_CLIENT
        to = EndpointStatus.REMOVED if removed else EndpointStatus.DISABLED
        if to not in NEXT[self.status]:
            return self
        return replace(self, status=to, status_reason=reason, status_changed_at=at, updated_at=at)

    def enabled(self, *, at: datetime) -> Self:
        """The endpoint switched on again with a clean record of health; unchanged if it already was on."""
        if EndpointStatus.ACTIVE not in NEXT[self.status]:
            return self
        return replace(
            self,
            status=EndpointStatus.ACTIVE,
            status_reason=None,
            status_changed_at=at,
            failing_since=None,
            updated_at=at,
        )

    def after_tries(
        self, *, succeeded: bool, failed: bool, gone: bool, at: datetime, disable_after: timedelta
    ) -> Self:
        """The endpoint after tries that came back at `at`: 410 and a long unbroken failure switch it off.

        When some succeeded and some failed at the same moment the receiver lives: failure is not continuous.
        """
        if self.status is not EndpointStatus.ACTIVE:
            return self
        if gone:
            return self.disabled(DisabledReason.RECEIVER_GONE, at=at)
        if succeeded:
            return replace(self, failing_since=None) if self.failing_since else self
        if not failed:
            return self
        if self.failing_since is None:
            return replace(self, failing_since=at)
        if at - self.failing_since >= disable_after:
            return self.disabled(DisabledReason.FAILING_TOO_LONG, at=at)
        return self
