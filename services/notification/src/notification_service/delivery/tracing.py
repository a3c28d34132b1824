"""A span for each attempt to send a webhook, in the trace of the event that it tells of.

By the semantic conventions for HTTP clients, but without address and URL: these are the client's, and its
URL may hold a secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from messaging.tracing import recorded, span_about, traceparent_of
from opentelemetry.trace import Span, SpanKind, StatusCode

from notification_service.domain.delivery import Answer, Claim


@contextmanager
def attempt_span(claim: Claim) -> Iterator[tuple[Span, str | None]]:
    """The attempt's span, and what its receiver is told as `traceparent`."""
    attributes: dict[str, str | int] = {"http.request.method": "POST"}
    if claim.attempt_no > 1:
        attributes["http.request.resend_count"] = claim.attempt_no - 1
    with span_about(
        "POST webhook", [recorded(claim.traceparent)], kind=SpanKind.CLIENT, attributes=attributes
    ) as span:
        yield span, traceparent_of(span) if span.is_recording() else claim.traceparent


def tell_answer(span: Span, answer: Answer) -> None:
    """Put onto the span what came back."""
    if answer.status_code is not None:
        span.set_attribute("http.response.status_code", answer.status_code)
    if answer.error is not None:
        span.set_attribute("error.type", answer.error.value)
        span.set_status(StatusCode.ERROR)
