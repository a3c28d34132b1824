"""A review: a person's decision about a payment that screening would not decide alone. It is made once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fraud_service.domain.payments import ScreenedPayment


class ReviewOutcome(StrEnum):
    """What the person decided."""

    APPROVE = "approve"
    DECLINE = "decline"


class ReviewStatus(StrEnum):
    """A review is open until it is resolved, and then for ever resolved."""

    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who decided what, why and when."""

    outcome: ReviewOutcome
    reason: str
    resolved_by: str
    idempotency_key: str
    resolved_at: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """A payment held for a person, with the screening's findings and, once there is one, the resolution."""

    payment: ScreenedPayment
    score: int
    reasons: tuple[str, ...]
    rules_version: int
    opened_at: datetime
    resolution: Resolution | None

    @property
    def status(self) -> ReviewStatus:
        """Open until a resolution exists."""
        return ReviewStatus.OPEN if self.resolution is None else ReviewStatus.RESOLVED


@dataclass(frozen=True, slots=True)
class ResolveReview:
    """A person's wish to resolve the review of `payment_id`."""

    payment_id: UUID
    outcome: ReviewOutcome
    reason: str
    resolved_by: str
    idempotency_key: str

    def resolution(self, at: datetime) -> Resolution:
        """What will stand if nothing stands yet."""
        return Resolution(self.outcome, self.reason, self.resolved_by, self.idempotency_key, at)


class ReviewNotFound(LookupError):
    """No review of this payment exists that the caller may see."""

    code = "review_not_found"

    def __init__(self, payment_id: UUID) -> None:
        super().__init__(f"no review of payment {payment_id}")
        self.payment_id = payment_id


class ReviewAlreadyResolved(Exception):
    """The review was resolved the other way before."""

    code = "review_already_resolved"

    def __init__(self, payment_id: UUID, standing: Resolution) -> None:
        super().__init__(f"the review of payment {payment_id} was resolved: {standing.outcome}")
        self.payment_id = payment_id
        self.standing = standing


class IdempotencyKeyReused(Exception):
    """The caller sent this idempotency key before, with another body or for another payment."""

    code = "idempotency_key_reused"

    def __init__(self, differing_field: str) -> None:
        super().__init__(f"the idempotency key was used before with another {differing_field}")
        self.differing_field = differing_field


def judge_repeat(
    command: ResolveReview, *, by_key: tuple[UUID, Resolution] | None, standing: Resolution | None
) -> Resolution:
    """Answer a decision that could not be recorded because one stands already.

    `by_key` is what the caller's key recorded before and for which payment; `standing` what resolved this
    payment's review. The same decision again is answered with what stands (the first reason and author keep
    the record). Raises `IdempotencyKeyReused` if the key stands for something else, `ReviewAlreadyResolved`
    if the review was resolved the other way.
    """
    if by_key is not None:
        payment_id, recorded = by_key
        for name, sent, kept in (
            ("payment_id", command.payment_id, payment_id),
            ("decision", command.outcome, recorded.outcome),
            ("reason", command.reason, recorded.reason),
        ):
            if sent != kept:
                raise IdempotencyKeyReused(name)
        return recorded
    assert standing is not None, "nothing stood in the way, yet the decision was not recorded"
    if standing.outcome is not command.outcome:
        raise ReviewAlreadyResolved(command.payment_id, standing)
    return standing
