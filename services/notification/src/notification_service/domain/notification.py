"""A notification: one event as a client is told of it, its body rendered once and kept byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An event that a client can be told of, and be told of again."""

    id: UUID
    client_id: str
    type: str
    payment_id: UUID | None
    sequence: int
    occurred_at: datetime
    body: str
    traceparent: str | None


def webhook_id(notification_id: UUID) -> str:
    """`webhook-id`: the same for every attempt, retry and replay of an event, at every endpoint."""
    return f"evt_{notification_id.hex}"


def render_body(*, type: str, timestamp: datetime, sequence: int, data: Mapping[str, Any]) -> str:  # noqa: A002
    """The JSON body that is stored, signed and sent: compact, ASCII, keys in this order."""
    return json.dumps(
        {"type": type, "timestamp": rfc3339(timestamp), "sequence": sequence, "data": dict(data)},
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )


def rfc3339(at: datetime) -> str:
    """An instant in UTC with microseconds and a Z, as all of Florin's JSON writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
