"""What becomes of a reversal when the payee has spent the money, and of the debt thereafter."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReversalPolicy(StrEnum):
    """REFUSE declines it; RECEIVABLE gives all of it back, and books what the payee has not as owed."""

    REFUSE = "refuse"
    RECEIVABLE = "receivable"


@dataclass(frozen=True, slots=True)
class ReversalPolicyChange:
    """A client's choice, why, by whom and when."""

    policy: ReversalPolicy
    reason: str
    author: str
    changed_at: datetime


class CollectionExceedsDebt(Exception):
    """More was to be collected of the account than it owes to the receivable account."""

    def __init__(self, *, asked_minor: int, owed_minor: int) -> None:
        super().__init__(f"{asked_minor} was to be collected, and {owed_minor} is owed")
        self.asked_minor = asked_minor
        self.owed_minor = owed_minor


def debt_after(collected_minor: int, *, owed_minor: int) -> int:
    """What is still owed once so much was paid back; raises CollectionExceedsDebt."""
    if collected_minor > owed_minor:
        raise CollectionExceedsDebt(asked_minor=collected_minor, owed_minor=owed_minor)
    return owed_minor - collected_minor
