"""Reviews and decisions as they are sent and shown."""

from typing import Literal, Self
from uuid import UUID

from fraud_service.api.schemas import Answer, Instant, PaymentFacts, Reason, Request
from fraud_service.domain.reviews import Resolution, Review, ReviewOutcome, ReviewStatus
from fraud_service.domain.rules import Action
from fraud_service.domain.screening import Decision, FiredRule
from fraud_service.persistence.decisions import DecisionRecord


class ResolveReviewRequest(Request):
    """A person's decision."""

    decision: Literal["approve", "decline"]
    reason: Reason


class ResolutionAnswer(Answer):
    """Who decided what, why and when."""

    decision: ReviewOutcome
    reason: str
    resolved_by: str
    resolved_at: Instant

    @classmethod
    def of(cls, resolution: Resolution) -> Self:
        """Tell a resolution."""
        return cls(
            decision=resolution.outcome,
            reason=resolution.reason,
            resolved_by=resolution.resolved_by,
            resolved_at=resolution.resolved_at,
        )


class ReviewAnswer(Answer):
    """A payment held for a person; `resolution` is null while the review is open."""

    payment_id: UUID
    status: ReviewStatus
    opened_at: Instant
    score: int
    reasons: list[str]
    rules_version: int
    payment: PaymentFacts
    resolution: ResolutionAnswer | None

    @classmethod
    def of(cls, review: Review) -> Self:
        """Tell a review."""
        return cls(
            payment_id=review.payment.payment_id,
            status=review.status,
            opened_at=review.opened_at,
            score=review.score,
            reasons=list(review.reasons),
            rules_version=review.rules_version,
            payment=PaymentFacts.of(review.payment),
            resolution=ResolutionAnswer.of(review.resolution) if review.resolution is not None else None,
        )


class ReviewListAnswer(Answer):
    """Open reviews oldest first, resolved ones latest first."""

    items: list[ReviewAnswer]
    next_cursor: str | None


class FiredRuleAnswer(Answer):
    """Why a rule fired: what it observed against its limit (minor units or a count), or who was listed."""

    rule_id: str
    kind: str
    action: Action
    score: int
    observed: int | None
    limit: int | None
    party: Literal["debtor", "creditor"] | None

    @classmethod
    def of(cls, hit: FiredRule) -> Self:
        """Tell a rule that fired."""
        return cls(
            rule_id=hit.rule_id,
            kind=hit.kind,
            action=hit.action,
            score=hit.score,
            observed=hit.observed,
            limit=hit.limit,
            party=hit.party,
        )


class DecisionAnswer(Answer):
    """A decision explained. `velocity` is what each velocity rule that applied had measured, by rule id."""

    payment_id: UUID
    decision: Decision
    score: int
    reasons: list[str]
    rules_version: int
    decided_at: Instant
    payment: PaymentFacts
    velocity: dict[str, int]
    fired: list[FiredRuleAnswer]

    @classmethod
    def of(cls, record: DecisionRecord) -> Self:
        """Tell a decision."""
        assessment = record.assessment
        return cls(
            payment_id=assessment.payment.payment_id,
            decision=assessment.decision,
            score=assessment.score,
            reasons=list(assessment.reasons),
            rules_version=assessment.rules_version,
            decided_at=record.decided_at,
            payment=PaymentFacts.of(assessment.payment),
            velocity=dict(assessment.velocity),
            fired=[FiredRuleAnswer.of(hit) for hit in assessment.fired],
        )
