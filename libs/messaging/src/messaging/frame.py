"""A frame: a signed batch of 1..N events of one type, as one AMQP message.

AMQP properties: `content_type` application/cloudevents-batch+json, `message_id` the frame id, delivery mode
2. Headers: `florin-key-id`, `florin-issued-at`, `florin-signature`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.catalogue import BY_NAME

from messaging.event import RawEvent, decode_batch
from messaging.failures import MalformedFrame
from messaging.ids import uuid7
from messaging.signing import Key, KeyRing, sign

CONTENT_TYPE = "application/cloudevents-batch+json"
MAX_FRAME_EVENTS = 200
MAX_FRAME_BYTES = 512 * 1024
# A receiver takes more than a sender sends, so that the sender's bound may be raised first.
MAX_RECEIVED_BYTES = 8 * MAX_FRAME_BYTES
MAX_CLOCK_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Frame:
    """What travels, before anything of it is believed. `issued_at` is the signed text itself."""

    id: str
    routing_key: str
    content_type: str
    key_id: str
    issued_at: str
    signature: str
    body: bytes


def seal(bodies: Sequence[bytes], *, routing_key: str, key: Key, at: datetime) -> Frame:
    """Join encoded events into one body and sign it."""
    body = b"[" + b",".join(bodies) + b"]"
    frame_id = str(uuid7())
    issued_at = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    signature = sign(
        key,
        frame_id=frame_id,
        routing_key=routing_key,
        content_type=CONTENT_TYPE,
        issued_at=issued_at,
        body=body,
    )
    return Frame(frame_id, routing_key, CONTENT_TYPE, key.id, issued_at, signature, body)


def unseal(frame: Frame, *, ring: KeyRing, now: datetime) -> list[RawEvent]:
    """Verify first, then read. Raises `MalformedFrame` with the reason; believes nothing until verified.

    A frame may be a week late (redelivery, redrive): the inbox guards against replay, so age is no fault.
    Only a frame from the future, beyond `MAX_CLOCK_SKEW`, is refused.
    """
    if len(frame.body) > MAX_RECEIVED_BYTES:
        raise MalformedFrame("too_large", f"{len(frame.body)} bytes; the bound is {MAX_RECEIVED_BYTES}")
    key = ring.find(frame.key_id)
    if key is None:
        raise MalformedFrame("unknown_key", f"no key {frame.key_id[:64]!r} in the ring")
    expected = sign(
        key,
        frame_id=frame.id,
        routing_key=frame.routing_key,
        content_type=frame.content_type,
        issued_at=frame.issued_at,
        body=frame.body,
    )
    if not hmac.compare_digest(expected.encode(), frame.signature.encode()):
        raise MalformedFrame("bad_signature", "the signature does not fit the bytes")
    entry = BY_NAME.get(frame.routing_key)
    if entry is None:
        raise MalformedFrame("unknown_type", f"the catalogue has no {frame.routing_key[:128]!r}")
    if entry.producer != key.producer:
        raise MalformedFrame("wrong_producer", f"{key.producer} may not send {entry.name}")
    if frame.content_type != CONTENT_TYPE:
        raise MalformedFrame("unknown_content_type", f"{frame.content_type[:128]!r} is not {CONTENT_TYPE}")
    _refuse_the_future(frame.issued_at, now)
    return decode_batch(frame.body, routing_key=frame.routing_key)


def _refuse_the_future(issued_at: str, now: datetime) -> None:
    try:
        issued = datetime.fromisoformat(issued_at)
        ahead = issued - now
    except (ValueError, TypeError) as error:
        raise MalformedFrame("malformed_headers", "issued-at is not an RFC 3339 time with offset") from error
    if ahead > MAX_CLOCK_SKEW:
        raise MalformedFrame("issued_in_future", f"issued {ahead} ahead of this clock")
