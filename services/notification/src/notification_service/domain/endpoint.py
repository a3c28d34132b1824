"""A client's webhook endpoint and the states it can be in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from .circuit import Circuit


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
class Tries:
    """What came back of an endpoint's tries by `at`. A fault of ours is neither a success nor a failure.

    `gone` is whether one was answered 410, `probed` whether one was to probe the circuit.
    """

    at: datetime
    succeeded: bool = False
    failures: int = 0
    gone: bool = False
    probed: bool = False


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
    circuit: Circuit = field(default_factory=Circuit)

    def disabled(self, reason: DisabledReason, *, at: datetime) -> Self:
        """The endpoint after it is switched off; unchanged if it already was."""
        removed = reason is DisabledReason.REMOVED_BY_CLIENT
        to = EndpointStatus.REMOVED if removed else EndpointStatus.DISABLED
        if to not in NEXT[self.status]:
            return self
        return replace(
            self,
            status=to,
            status_reason=reason,
            status_changed_at=at,
            updated_at=at,
            # Nothing goes there, so there is nothing to hold back.
            circuit=self.circuit.closed(at=at),
        )

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
            circuit=self.circuit.closed(at=at),
        )

    def moved(self, url: str, *, at: datetime) -> Self:
        """The endpoint at another URL: what its old receiver failed says nothing of the new one."""
        return replace(self, url=url, failing_since=None, circuit=self.circuit.closed(at=at))

    def asked_for(self, delivery_id: UUID, *, at: datetime) -> Self:
        """The endpoint after a person asked for a delivery now; unchanged where nothing is held back."""
        circuit = self.circuit.asked_for(delivery_id, at=at)
        return self if circuit is self.circuit else replace(self, circuit=circuit)

    def after_tries(self, tries: Tries, *, disable_after: timedelta, draw: Callable[[], float]) -> Self:
        """The endpoint after tries: 410 and a long failure switch it off, a short one opens its circuit.

        When some succeeded and some failed at the same moment the receiver lives: failure is not continuous.
        Unchanged, the same object, where there is nothing to write down. `draw` gives 0.0 up to 1.0.
        """
        if self.status is not EndpointStatus.ACTIVE:
            return self
        if tries.gone:
            return self.disabled(DisabledReason.RECEIVER_GONE, at=tries.at)
        failing_since, circuit = self.failing_since, self.circuit
        if tries.succeeded:
            failing_since, circuit = None, circuit.closed(at=tries.at)
        elif tries.failures:
            failing_since = failing_since or tries.at
            if tries.at - failing_since >= disable_after:
                return self.disabled(DisabledReason.FAILING_TOO_LONG, at=tries.at)
            circuit = circuit.failed(tries.failures, probed=tries.probed, at=tries.at, draw=draw)
        elif tries.probed:
            circuit = circuit.undecided(at=tries.at, draw=draw)
        if failing_since == self.failing_since and circuit is self.circuit:
            return self
        return replace(self, failing_since=failing_since, circuit=circuit)
