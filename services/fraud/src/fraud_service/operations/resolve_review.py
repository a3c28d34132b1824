"""Resolve a review: a person's decision, recorded once and told to the payment's owner in the same commit."""

from dataclasses import dataclass, replace

from contracts.messages import ReviewResolved
from messaging import outbox
from messaging.event import new_event
from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.reviews import ResolveReview, Review, judge_repeat
from fraud_service.operations.read_reviews import find_review
from fraud_service.persistence import reviews

# After FraudAssessed, which is 1: a payment's review is resolved once, so nothing comes after it.
RESOLVED_SEQUENCE = 2


@dataclass(frozen=True, slots=True)
class ReviewDecided:
    """The review as it stands. `replayed`: this call changed nothing, the decision stood already."""

    review: Review
    replayed: bool


async def resolve_review(
    connection: AsyncConnection,
    command: ResolveReview,
    *,
    origin: Origin,
    visible_to: str | None,
    clock: Clock,
) -> ReviewDecided:
    """Record the decision and announce it, or answer with the equal one that stands.

    Raises `ReviewNotFound`, also for another client's payment unless `visible_to` is None; and, changing
    nothing, `ReviewAlreadyResolved` and `IdempotencyKeyReused`.
    """
    review = await find_review(connection, command.payment_id, visible_to=visible_to)
    at = clock.now()
    if not await reviews.record(connection, command, client_id=review.payment.client_id, at=at):
        standing = await reviews.load_standing(connection, command)
        by_key = next(
            (
                (payment_id, resolution)
                for payment_id, resolution in standing.items()
                if (resolution.resolved_by, resolution.idempotency_key)
                == (command.resolved_by, command.idempotency_key)
            ),
            None,
        )
        resolution = judge_repeat(command, by_key=by_key, standing=standing.get(command.payment_id))
        return ReviewDecided(replace(review, resolution=resolution), replayed=True)
    resolved = ReviewResolved(
        payment_id=command.payment_id,
        decision=command.outcome.value,
        reason=command.reason,
        resolved_by=command.resolved_by,
    )
    event = new_event(resolved, subject=str(command.payment_id), sequence=RESOLVED_SEQUENCE, at=at)
    await outbox.add(connection, [event])
    entry = Entry(
        action="review.decided",
        subject_type="payment",
        subject=str(command.payment_id),
        after={"decision": command.outcome},
        reason=command.reason,
        client_id=review.payment.client_id,
    )
    await record(connection, origin, entry, at=at)
    return ReviewDecided(replace(review, resolution=command.resolution(at)), replayed=False)
