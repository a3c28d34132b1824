"""What the demonstration counts."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class Tally:
    """Payments by what became of them. `refused` were never accepted; `rejected` were, and then ended so.

    `authorised` are told apart: it is their captures that move money, and are accepted and settled.
    """

    accepted: int = 0
    replayed: int = 0
    settled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    in_review: int = 0
    approved: int = 0
    declined: int = 0
    reversals: int = 0
    authorised: int = 0
    bulk_per_second: float = 0.0
    single_per_second: float = 0.0
    postings_added: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds from PENDING to SETTLED, as the lifecycles say, of so many payments."""

    count: int
    p50_ms: float
    p99_ms: float


@dataclass
class Made:
    """Payments made one by one in this run, by id, and all those known by reference."""

    new: dict[UUID, int] = field(default_factory=dict)
    by_reference: dict[str, UUID] = field(default_factory=dict)
