"""What clients send and read, exactly: unknown fields and other types are refused."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from notification_service.domain.endpoint import Endpoint
from notification_service.domain.event_types import SUBSCRIBABLE
from notification_service.domain.notification import webhook_id
from notification_service.domain.target import MAX_URL_LENGTH
from notification_service.persistence.deliveries import DeliveryView

EventType = Literal[
    "payment.in_review",
    "payment.approved",
    "payment.settled",
    "payment.rejected",
    "payment.voided",
    "payment.expired",
]
DeliveryState = Literal["pending", "delivered", "failed", "cancelled"]
Url = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_URL_LENGTH)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(SUBSCRIBABLE))]
# No control characters: a description is shown on pages and in terminals.
Description = Annotated[
    str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
MAX_OVERLAP_S = 604_800


def _is_text(value: object) -> object:
    # Lax reading of times would take numbers for Unix time.
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 time, written as a string")  # noqa: TRY004 - pydantic's way
    return value


# Bounded, because the ends of the calendar overflow when they are turned into UTC.
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_is_text),
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
]


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Body(BaseModel):
    """A request's body."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class NewEndpoint(Body):
    """Where to send, and what."""

    url: Url
    event_types: EventTypes
    description: Description | None = None


class EndpointChange(Body):
    """Only what is sent changes; a `description` of null clears it."""

    url: Url = Field(default_factory=str)
    event_types: EventTypes = Field(default_factory=list)
    description: Description | None = Field(default=None, json_schema_extra=_no_default)


class Rotation(Body):
    """How long the old secret signs along; 0 cuts a leaked one off at once."""

    overlap_s: Annotated[int, Field(strict=True, ge=0, le=MAX_OVERLAP_S)] | None = None


class ReplayRequest(Body):
    """Events that happened from `since` on, and before `until` if that is given."""

    since: Time
    until: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("until must be later than since")
        return self


class CircuitOut(BaseModel):
    """Whether events go to the endpoint's receiver.

    After five failed attempts in a row the circuit opens and events wait. At `next_attempt_at`, or with the
    first that is due after it, one of them is sent (`half_open`); its success closes the circuit, its failure
    makes the wait longer. `since` is when it opened, or closed again.
    """

    state: Literal["closed", "open", "half_open"]
    since: datetime | None
    next_attempt_at: datetime | None


class EndpointOut(BaseModel):
    """A webhook endpoint; its secret is never shown again."""

    id: UUID
    url: str
    event_types: list[str]
    description: str | None
    status: Literal["active", "disabled", "removed"]
    status_reason: Literal["removed_by_client", "receiver_gone", "failing_too_long"] | None
    status_changed_at: datetime
    failing_since: datetime | None
    circuit: CircuitOut
    created_at: datetime
    updated_at: datetime


class RegisteredEndpoint(EndpointOut):
    """The new endpoint with its signing secret, for this one time."""

    secret: str


class NewSecret(BaseModel):
    """The new signing secret, for this one time."""

    endpoint_id: UUID
    secret: str
    created_at: datetime
    previous_expires_at: datetime


class DeliveryOut(BaseModel):
    """One event on its way to one endpoint. The receiver sees `webhook_id`, the same at every attempt.

    What is due, its `next_attempt_at` past, waits for its turn or for the endpoint's circuit.
    """

    id: UUID
    webhook_id: str
    endpoint_id: UUID
    type: str
    payment_id: UUID | None
    sequence: int
    status: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status_code: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


class AttemptOut(BaseModel):
    """One attempt. `worker_lost` without a duration means that nobody knows whether it arrived."""

    number: int
    started_at: datetime
    duration_ms: int | None
    succeeded: bool
    status_code: int | None
    error: str | None
    detail: str | None
    response_snippet: str | None


class DeliveryWithAttempts(DeliveryOut):
    """A delivery and its newest attempts, the newest first."""

    attempt_log: list[AttemptOut]


class ReplayOut(BaseModel):
    """How many deliveries are due by this; where `resume_since` is set, ask again with it for the rest."""

    queued: int
    resume_since: datetime | None


class EndpointPage(BaseModel):
    items: list[EndpointOut]
    next_cursor: str | None


class DeliveryPage(BaseModel):
    items: list[DeliveryOut]
    next_cursor: str | None


def endpoint_out(endpoint: Endpoint) -> EndpointOut:
    return EndpointOut.model_validate(endpoint_fields(endpoint))


def endpoint_fields(endpoint: Endpoint) -> Mapping[str, Any]:
    """What a client may know of its endpoint."""
    reason = endpoint.status_reason
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "status": endpoint.status.value,
        "status_reason": reason.value if reason is not None else None,
        "status_changed_at": endpoint.status_changed_at,
        "failing_since": endpoint.failing_since,
        "circuit": {
            "state": endpoint.circuit.state.value,
            "since": endpoint.circuit.since,
            "next_attempt_at": endpoint.circuit.until,
        },
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def delivery_out(delivery: DeliveryView) -> DeliveryOut:
    return DeliveryOut.model_validate(delivery_fields(delivery))


def delivery_fields(delivery: DeliveryView) -> Mapping[str, Any]:
    """What a client may know of a delivery."""
    return {
        "id": delivery.id,
        "webhook_id": webhook_id(delivery.notification_id),
        "endpoint_id": delivery.endpoint_id,
        "type": delivery.type,
        "payment_id": delivery.payment_id,
        "sequence": delivery.sequence,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "last_status_code": delivery.last_status_code,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }
