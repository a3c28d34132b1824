"""Pages: where the next one begins, as an opaque cursor."""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from service_kit.problems import Problem

from fraud_service.domain.reviews import ReviewStatus
from fraud_service.persistence.reviews import ReviewPosition

Limit = Annotated[int, Query(ge=1, le=200, description="How many items a page holds at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]


def encode_reviews(status: ReviewStatus, position: ReviewPosition) -> str:
    """A cursor that goes on after `position` in the list of that status."""
    return _encode([status.value, position.at.isoformat(), str(position.payment_id)])


def decode_reviews(status: ReviewStatus, cursor: str) -> ReviewPosition:
    """The position; 400 `invalid_cursor` for one that was not made for this list."""
    listed, at, payment_id = _decode(cursor, fields=3)
    try:
        position = ReviewPosition(datetime.fromisoformat(at), UUID(payment_id))
    except ValueError:
        raise _invalid() from None
    if listed != status.value or position.at.tzinfo is None:
        raise _invalid()
    return position


def encode_versions(before_version: int) -> str:
    """A cursor that goes on below a version."""
    return _encode(["versions", str(before_version)])


def decode_versions(cursor: str) -> int:
    """The version; 400 `invalid_cursor` for a cursor that was not made for this list."""
    listed, version = _decode(cursor, fields=2)
    if listed != "versions" or not (version.isascii() and version.isdigit() and len(version) < 10):
        raise _invalid()
    return int(version)


def _encode(parts: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(cursor: str, *, fields: int) -> list[str]:
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise _invalid() from None
    if not (
        isinstance(parts, list) and len(parts) == fields and all(isinstance(part, str) for part in parts)
    ):
        raise _invalid()
    return parts


def _invalid() -> Problem:
    return Problem(400, "invalid_cursor", "Invalid cursor", "Use next_cursor of the page before, unchanged.")
