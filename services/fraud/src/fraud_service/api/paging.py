"""The pages of each list, and where they begin as the text inside a cursor."""

from datetime import datetime, timedelta
from uuid import UUID

from service_kit.cursors import Listing

from fraud_service.api.rule_schemas import MAX_VERSION
from fraud_service.domain.reviews import Review, ReviewStatus
from fraud_service.persistence.reviews import ReviewPosition


def page_of_reviews(status: ReviewStatus, cursor: str | None, limit: int) -> Listing[ReviewPosition | None]:
    """The page asked for of the reviews of that status; 400 `invalid_cursor` for a cursor of another list."""
    return Listing(f"reviews {status.value}", cursor, limit, start=None, read=_review_position)


def place_of_review(review: Review) -> str:
    """Where a review stands among those of its status."""
    at = review.opened_at if review.resolution is None else review.resolution.resolved_at
    return f"{at.isoformat()} {review.payment.payment_id}"


def page_of_versions(cursor: str | None, limit: int) -> Listing[int]:
    """The page asked for of the rules' versions; 400 `invalid_cursor` for a cursor of another list."""
    return Listing("rules versions", cursor, limit, start=MAX_VERSION, read=_version)


def _review_position(text: str) -> ReviewPosition:
    at_text, _, payment_id = text.partition(" ")
    at = datetime.fromisoformat(at_text)
    # Any other offset could lead beyond the calendar's end once converted.
    if at.utcoffset() != timedelta(0):
        raise ValueError("a position is told in UTC")
    return ReviewPosition(at, UUID(payment_id))


def _version(text: str) -> int:
    version = int(text)
    if not 1 <= version <= MAX_VERSION:
        raise ValueError("no such version can be")
    return version
