"""Read the review queue. `visible_to` is the client whose payments may be seen, or None for all."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.reviews import Review, ReviewNotFound, ReviewStatus
from fraud_service.persistence import reviews
from fraud_service.persistence.reviews import ReviewPosition


async def find_review(connection: AsyncConnection, payment_id: UUID, *, visible_to: str | None) -> Review:
    """The review of one payment; raises `ReviewNotFound`, the same for absent ones and other clients'."""
    review = await reviews.load_review(connection, payment_id)
    if review is None or (visible_to is not None and review.payment.client_id != visible_to):
        raise ReviewNotFound(payment_id)
    return review


async def list_reviews(
    connection: AsyncConnection,
    *,
    status: ReviewStatus,
    visible_to: str | None,
    after: ReviewPosition | None,
    limit: int,
) -> list[Review]:
    """Open reviews oldest first, or resolved ones latest first."""
    return await reviews.load_page(connection, status=status, client_id=visible_to, after=after, limit=limit)


async def count_open_reviews(connection: AsyncConnection) -> int:
    """How many payments wait for a person, counted up to 100,000."""
    return await reviews.count_open(connection)
