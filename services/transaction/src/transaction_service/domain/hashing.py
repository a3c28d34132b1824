"""Hashes by which anybody can recompute that a record, and the order of its events, was not altered.

SHA-256 over a label, a line feed, and the canonical JSON form (RFC 8785: sorted keys, no white space, UTF-8;
only strings, integers, booleans and null occur, and keys are ASCII, so that sorting by code point is enough).
Times are UTC with six decimals and `Z`; ids in lower case with dashes; hashes inside the form in lower-case
hex.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

RECORD_LABEL = b"florin-payment-v1\n"
EVENT_LABEL = b"florin-payment-event-v1\n"


def record_hash(fields: Mapping[str, Any]) -> bytes:
    """Return the 32-byte hash of a payment's immutable fields."""
    return hashlib.sha256(RECORD_LABEL + canonical(fields)).digest()


def event_hash(
    *,
    payment_id: UUID,
    sequence: int,
    status: str,
    reason: str | None,
    occurred_at: datetime,
    previous_hash: bytes,
) -> bytes:
    """Return the 32-byte hash of one lifecycle event, which binds all events before it and the record."""
    form = {
        "payment_id": str(payment_id),
        "sequence": sequence,
        "status": str(status),
        "reason": reason,
        "occurred_at": canonical_time(occurred_at),
        "previous_hash": previous_hash.hex(),
    }
    return hashlib.sha256(EVENT_LABEL + canonical(form)).digest()


def canonical(form: Mapping[str, Any]) -> bytes:
    """Write the canonical JSON form of strings, integers, booleans, null and objects of those."""
    return orjson.dumps(form, option=orjson.OPT_SORT_KEYS)


# A batch is accepted, or moved on, at one and the same time.
@lru_cache(maxsize=64)
def canonical_time(moment: datetime) -> str:
    """Write a time as `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
