"""One event: CloudEvents 1.0 attributes around a typed payload.

JSON form, one element of a frame's array (CloudEvents JSON batch format):
`specversion, id, source, type, subject, time, datacontenttype, sequence, data`, with the extensions
`traceparent` (W3C trace context) and `causationid` (id of the event that led to this one) where known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from contracts.catalogue import BY_NAME, BY_PAYLOAD
from contracts.messages import Payload
from opentelemetry import trace
from pydantic import ValidationError

from messaging.failures import MalformedFrame, PermanentFailure
from messaging.ids import read_uuid, uuid7

P = TypeVar("P", bound=Payload)
P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[P_co]):
    """A fact or a command on its way. `sequence` is the aggregate's own counter when the event was made."""

    id: UUID
    type: str
    source: str
    subject: str
    sequence: int
    occurred_at: datetime
    traceparent: str | None
    causation_id: UUID | None
    data: P_co


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event whose attributes are right but whose data has not been read yet."""

    id: UUID
    type: str
    subject: str
    attributes: Mapping[str, Any]


def new_event(
    data: P,
    *,
    subject: str,
    sequence: int,
    at: datetime,
    cause: Event[Payload] | None = None,
    traceparent: str | None = None,
) -> Event[P]:
    """Make an event of the type that the catalogue names for `data`.

    The trace goes on from `cause`, else from `traceparent` (for work that was handed to another task), else
    from the current OpenTelemetry context.
    """
    entry = BY_PAYLOAD[type(data)]
    return Event(
        id=uuid7(),
        type=entry.name,
        source=f"/florin/{entry.producer}",
        subject=subject,
        sequence=sequence,
        occurred_at=at,
        traceparent=cause.traceparent if cause is not None else traceparent or current_traceparent(),
        causation_id=cause.id if cause is not None else None,
        data=data,
    )


def current_traceparent() -> str | None:
    """Write the current span context as a W3C `traceparent`, or None outside any trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def encode(event: Event[Payload]) -> bytes:
    """Write one event as CloudEvents JSON."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": _rfc3339(event.occurred_at),
        "datacontenttype": "application/json",
        "sequence": str(event.sequence),
    }
    if event.traceparent is not None:
        attributes["traceparent"] = event.traceparent
    if event.causation_id is not None:
        attributes["causationid"] = str(event.causation_id)
    attributes["data"] = orjson.Fragment(event.data.__pydantic_serializer__.to_json(event.data))
    return orjson.dumps(attributes)


# The events of one batch mostly bear one and the same time.
@lru_cache(maxsize=64)
def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def decode_batch(body: bytes, *, routing_key: str) -> list[RawEvent]:
    """Read a frame's body, whose bytes have been verified, into events with sound attributes.

    Raises `MalformedFrame` if the body is no array of CloudEvents of the routing key's own type: a producer
    that signs such a thing is broken, and none of it can be trusted or even parked by id.
    """
    try:
        elements = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedFrame("malformed_body", f"the body is not JSON: {error}") from error
    if not isinstance(elements, list) or not elements:
        raise MalformedFrame("malformed_body", "the body is not a non-empty JSON array of events")
    return [_read_attributes(element, routing_key) for element in elements]


def _read_attributes(element: object, routing_key: str) -> RawEvent:
    if not isinstance(element, dict):
        raise MalformedFrame("malformed_body", "an element of the batch is not an object")
    expected_source = f"/florin/{BY_NAME[routing_key].producer}"
    if (
        element.get("specversion") != "1.0"
        or element.get("type") != routing_key
        or element.get("source") != expected_source
    ):
        raise MalformedFrame("malformed_body", "specversion, type or source is not what the frame promises")
    try:
        return RawEvent(
            id=read_uuid(element["id"]), type=routing_key, subject=str(element["subject"]), attributes=element
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise MalformedFrame("malformed_body", f"id or subject is missing or wrong: {error}") from error


def read(raw: RawEvent) -> Event[Payload]:
    """Read the data by the catalogue's model; raise `PermanentFailure` if it does not fit."""
    entry = BY_NAME[raw.type]
    element = raw.attributes
    try:
        causation = element.get("causationid")
        return Event(
            id=raw.id,
            type=raw.type,
            source=element["source"],
            subject=raw.subject,
            sequence=int(element["sequence"]),
            occurred_at=datetime.fromisoformat(element["time"]),
            traceparent=element.get("traceparent"),
            causation_id=read_uuid(causation) if causation is not None else None,
            data=entry.payload.model_validate(element["data"]),
        )
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) + ": " + e["type"] for e in error.errors())
        raise PermanentFailure("invalid_data", f"data does not fit {raw.type}: {fields}"[:500]) from None
    except (KeyError, ValueError, TypeError) as error:
        raise PermanentFailure("invalid_data", f"an attribute is missing or wrong: {error}"[:500]) from error
