"""The states of a payment and the moves between them, as one table.

The database holds the same table in a trigger (`check_lifecycle`), so that no code can make an illegal move.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from transaction_service.domain.hashing import event_hash


class Status(StrEnum):
    """Where a payment stands. APPROVED means screened *and* funds secured."""

    PENDING = "PENDING"
    REVIEW = "REVIEW"
    APPROVED = "APPROVED"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


NEXT: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset({Status.REVIEW, Status.APPROVED, Status.REJECTED}),
        Status.REVIEW: frozenset({Status.APPROVED, Status.REJECTED}),
        Status.APPROVED: frozenset({Status.SETTLED, Status.VOIDED, Status.EXPIRED}),
        Status.SETTLED: frozenset(),
        Status.REJECTED: frozenset(),
        Status.VOIDED: frozenset(),
        Status.EXPIRED: frozenset(),
    }
)
TERMINAL = frozenset(status for status, following in NEXT.items() if not following)
# Where a payment has come as far as it comes by itself; a held one then waits for its client.
RESTING = TERMINAL | {Status.APPROVED}
# A payment in one of these gives back what it had reserved of the payment it reverses.
UNSUCCESSFUL = frozenset({Status.REJECTED, Status.VOIDED, Status.EXPIRED})

assert set(NEXT) == set(Status), "a state without a row"
assert all(following <= set(Status) for following in NEXT.values())


class IllegalMove(Exception):
    """The payment cannot go from where it stands to where it was told to go."""

    def __init__(self, payment_id: UUID, current: Status, target: Status) -> None:
        super().__init__(f"payment {payment_id} is {current} and cannot become {target}")
        self.payment_id = payment_id
        self.current = current
        self.target = target


@dataclass(frozen=True, slots=True)
class End:
    """How a payment ended, which will never change; or, as APPROVED, that its money is held."""

    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """One step in a payment's life, chained by hash to the step before it (the first one to the record)."""

    payment_id: UUID
    sequence: int
    status: Status
    reason: str | None
    occurred_at: datetime
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a payment stands now: its last event."""

    payment_id: UUID
    status: Status
    sequence: int
    last_hash: bytes

    @property
    def is_final(self) -> bool:
        """Whether no further move is possible."""
        return self.status in TERMINAL


def first_event(payment_id: UUID, record_hash: bytes, *, at: datetime) -> LifecycleEvent:
    """PENDING, chained to the payment's record."""
    return _chained(payment_id, 1, Status.PENDING, None, at, record_hash)


def move(
    standing: Standing, *targets: Status, at: datetime, reason: str | None = None
) -> tuple[list[LifecycleEvent], Standing]:
    """Take the payment through `targets` in turn; raise `IllegalMove` where the table has no such move."""
    events: list[LifecycleEvent] = []
    for target in targets:
        if target not in NEXT[standing.status]:
            raise IllegalMove(standing.payment_id, standing.status, target)
        event = _chained(standing.payment_id, standing.sequence + 1, target, reason, at, standing.last_hash)
        events.append(event)
        standing = Standing(standing.payment_id, target, event.sequence, event.hash)
    return events, standing


def _chained(
    payment_id: UUID,
    sequence: int,
    status: Status,
    reason: str | None,
    at: datetime,
    previous_hash: bytes,
) -> LifecycleEvent:
    digest = event_hash(
        payment_id=payment_id,
        sequence=sequence,
        status=status,
        reason=reason,
        occurred_at=at,
        previous_hash=previous_hash,
    )
    return LifecycleEvent(payment_id, sequence, status, reason, at, previous_hash, digest)
