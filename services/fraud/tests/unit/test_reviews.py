"""What a second decision about one review is answered with."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from fraud_service.domain.reviews import (
    IdempotencyKeyReused,
    Resolution,
    ResolveReview,
    ReviewAlreadyResolved,
    ReviewOutcome,
    judge_repeat,
)

APPROVE, DECLINE = ReviewOutcome.APPROVE, ReviewOutcome.DECLINE
PAYMENT, OTHER = uuid4(), uuid4()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def command(outcome: ReviewOutcome = APPROVE, reason: str = "known payer", key: str = "k1") -> ResolveReview:
    return ResolveReview(PAYMENT, outcome, reason, "bank", key)


def stands(outcome: ReviewOutcome = APPROVE, reason: str = "known payer", by: str = "bank") -> Resolution:
    return Resolution(outcome, reason, by, "k1", NOON)


def test_same_request_is_answered_with_what_stands() -> None:
    assert judge_repeat(command(), by_key=(PAYMENT, stands()), standing=stands()) == stands()


def test_same_decision_under_another_key_is_answered_with_the_first_record() -> None:
    first = stands(reason="the first one's words", by="other")
    assert judge_repeat(command(key="k2"), by_key=None, standing=first) == first


def test_other_decision_is_refused_and_names_what_stands() -> None:
    with pytest.raises(ReviewAlreadyResolved) as refused:
        judge_repeat(command(DECLINE, key="k2"), by_key=None, standing=stands())
    assert refused.value.standing == stands()


@pytest.mark.parametrize(
    ("sent", "recorded_for", "recorded", "field"),
    [
        (command(), OTHER, stands(), "payment_id"),
        (command(DECLINE), PAYMENT, stands(), "decision"),
        (command(reason="other words"), PAYMENT, stands(), "reason"),
    ],
)
def test_key_sent_with_another_request_is_refused_and_names_the_field(
    sent: ResolveReview, recorded_for: UUID, recorded: Resolution, field: str
) -> None:
    with pytest.raises(IdempotencyKeyReused) as refused:
        judge_repeat(sent, by_key=(recorded_for, recorded), standing=recorded)
    assert refused.value.differing_field == field
