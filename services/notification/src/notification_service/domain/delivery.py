"""A delivery: one event on its way to one endpoint, through as many attempts as it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from .retry import next_delay


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


# From every end a client may ask for the event again (retry, replay); nothing else moves a finished one.
NEXT: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    DeliveryStatus.PENDING: frozenset(
        {DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED}
    ),
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.CANCELLED: frozenset({DeliveryStatus.PENDING}),
}
assert set(NEXT) == set(DeliveryStatus)

GONE: Final = 410


class AttemptError(StrEnum):
    """Why an attempt failed, as the client reads it."""

    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    TIMEOUT = "timeout"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    CONNECTION_LOST = "connection_lost"
    PROTOCOL_ERROR = "protocol_error"
    HOST_NOT_PUBLIC = "host_not_public"
    URL_NOT_ALLOWED = "url_not_allowed"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"


class DeliveryNotFound(Exception):
    """The client has no such webhook delivery."""


class DeliveryInProgress(Exception):
    """The webhook delivery is being sent at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one attempt came back with: a status code, or an error when there was none."""

    status_code: int | None
    error: AttemptError | None
    retry_after_s: float | None = None
    snippet: str | None = None
    detail: str | None = None

    @property
    def succeeded(self) -> bool:
        """See `answered`: only 2xx has no error."""
        return self.error is None

    @property
    def gone(self) -> bool:
        return self.status_code == GONE


def answered(status_code: int, *, retry_after_s: float | None, snippet: str) -> Answer:
    """The answer of a receiver that replied. Only 2xx is success; a redirect is a failure, never followed."""
    if 200 <= status_code <= 299:
        error = None
    elif 300 <= status_code <= 399:
        error = AttemptError.REDIRECT
    else:
        error = AttemptError.HTTP_STATUS
    return Answer(status_code=status_code, error=error, retry_after_s=retry_after_s, snippet=snippet or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that this worker holds until `lease_until`, with all it needs to send it.

    `occurred_at` is when the event came about; `replayed` whether the client asked for it later, `held_back`
    whether it waited for its receiver's circuit; `probe` whether it tries that circuit.
    """

    delivery_id: UUID
    lease_token: UUID
    endpoint_id: UUID
    webhook_id: str
    attempt_no: int
    tries: int
    url: str
    body: bytes
    traceparent: str | None
    occurred_at: datetime
    replayed: bool
    held_back: bool
    probe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One attempt as it goes into the record."""

    claim: Claim
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Where an attempt leaves its delivery; `next_attempt_at` is set exactly when it stays pending."""

    status: DeliveryStatus
    next_attempt_at: datetime | None


def settle(finished: Finished, *, draw: Callable[[], float]) -> Settled:
    """Decide what an attempt's answer means for the delivery.

    410 ends it at once, as does the end of the schedule.
    """
    answer = finished.answer
    if answer.succeeded:
        return Settled(status=DeliveryStatus.DELIVERED, next_attempt_at=None)
    if answer.gone:
        return Settled(status=DeliveryStatus.FAILED, next_attempt_at=None)
    delay = next_delay(finished.claim.tries, retry_after_s=answer.retry_after_s, draw=draw)
    if delay is None:
        return Settled(status=DeliveryStatus.FAILED, next_attempt_at=None)
    return Settled(status=DeliveryStatus.PENDING, next_attempt_at=finished.ended_at + delay)
