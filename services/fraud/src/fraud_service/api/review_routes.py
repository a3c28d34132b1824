"""/v1/reviews: the queue of payments that wait for a person, and their decisions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from service_kit.audit import Audited
from service_kit.clock import Clock
from service_kit.cursors import DEFAULT_LIMIT, Cursor, Limit
from service_kit.database import Database
from service_kit.idempotency import REPLAYED_HEADER, idempotency_key

from fraud_service.api.access import ReviewDecider, ReviewReader, visible_to
from fraud_service.api.paging import page_of_reviews, place_of_review
from fraud_service.api.reading_log import ReadingLog
from fraud_service.api.review_schemas import ResolveReviewRequest, ReviewAnswer, ReviewListAnswer
from fraud_service.domain.reviews import ResolveReview, ReviewOutcome, ReviewStatus
from fraud_service.operations.read_reviews import find_review, list_reviews
from fraud_service.operations.resolve_review import resolve_review

IdempotencyKey = Annotated[str, Depends(idempotency_key)]


def review_routes(database: Database, clock: Clock) -> APIRouter:
    """The routes, on one database and clock."""
    router = APIRouter(prefix="/v1/reviews", tags=["reviews"])
    log = ReadingLog(database, clock)

    @router.get("", summary="Reviews, open or resolved")
    async def list_payment_reviews(
        client: ReviewReader,
        origin: Audited,
        status: ReviewStatus = ReviewStatus.OPEN,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> ReviewListAnswer:
        """Open ones oldest first, resolved ones latest first."""
        listing = page_of_reviews(status, cursor, limit)
        async with database.snapshot() as connection:
            reviews = await list_reviews(
                connection,
                status=status,
                visible_to=visible_to(client),
                after=listing.position,
                limit=listing.rows,
            )
        page, next_cursor = listing.page(reviews, place_of_review)
        await log.read(origin, "reviews.listed", [review.payment for review in page])
        return ReviewListAnswer(items=[ReviewAnswer.of(review) for review in page], next_cursor=next_cursor)

    @router.get("/{payment_id}", summary="One payment's review")
    async def get_review(payment_id: UUID, client: ReviewReader, origin: Audited) -> ReviewAnswer:
        async with database.snapshot() as connection:
            review = await find_review(connection, payment_id, visible_to=visible_to(client))
        await log.read(origin, "review.read", [review.payment])
        return ReviewAnswer.of(review)

    @router.post("/{payment_id}/decision", summary="Decide a payment that is held for review")
    async def decide_review(
        payment_id: UUID,
        body: ResolveReviewRequest,
        client: ReviewDecider,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
    ) -> ReviewAnswer:
        """Decides once. The same decision again is answered with what stands and `Idempotency-Replayed`;
        the other one with 409 `review_already_resolved`. A key used before with another payment, decision
        or reason is refused with 422 `idempotency_key_reused`."""
        command = ResolveReview(
            payment_id=payment_id,
            outcome=ReviewOutcome(body.decision),
            reason=body.reason,
            resolved_by=client.actor,
            idempotency_key=key,
        )
        async with database.transaction() as connection:
            decided = await resolve_review(
                connection, command, origin=origin, visible_to=visible_to(client), clock=clock
            )
        if decided.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return ReviewAnswer.of(decided.review)

    return router
