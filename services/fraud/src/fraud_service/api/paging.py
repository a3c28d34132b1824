"""Where the next page of each list begins, as the text inside a cursor."""

from datetime import datetime, timedelta
from uuid import UUID

from service_kit.cursors import decode_cursor, encode_cursor

from fraud_service.api.rule_schemas import MAX_VERSION
from fraud_service.domain.reviews import ReviewStatus
from fraud_service.persistence.reviews import ReviewPosition

_VERSIONS = "rules versions"


def encode_reviews(status: ReviewStatus, position: ReviewPosition) -> str:
    """A cursor that goes on after `position` in the list of that status."""
    return encode_cursor(f"reviews {status.value}", f"{position.at.isoformat()} {position.payment_id}")


def decode_reviews(status: ReviewStatus, cursor: str) -> ReviewPosition:
    """The position; 400 `invalid_cursor` for one that was not made for this list."""
    return decode_cursor(f"reviews {status.value}", cursor, read=_review_position)


def encode_versions(before_version: int) -> str:
    """A cursor that goes on below a version."""
    return encode_cursor(_VERSIONS, str(before_version))


def decode_versions(cursor: str) -> int:
    """The version; 400 `invalid_cursor` for a cursor that was not made for this list."""
    return decode_cursor(_VERSIONS, cursor, read=_version)


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
