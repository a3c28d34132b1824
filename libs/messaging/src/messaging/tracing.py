"""Spans of the bus, where somebody records the trace: one for each event handled, one for each frame sent.

Names and attributes follow OpenTelemetry's semantic conventions for messaging. Whether a trace is recorded
was decided where it began and travels in the last field of its `traceparent` (W3C Trace Context): for those
that are not, nothing is made here and next to nothing spent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from contracts.messages import Payload
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from messaging.event import Event

_tracer = trace.get_tracer("florin.messaging")
_propagator = TraceContextTextMapPropagator()
_SYSTEM = {"messaging.system": "rabbitmq"}
# As `event.encode` writes it. Within a text of the payload the quotes would be escaped.
_WRITTEN = '"traceparent":"'
_LENGTH = 55


def recorded(traceparent: str | None) -> SpanContext | None:
    """The span that a `traceparent` names, if its trace is recorded."""
    if traceparent is None or traceparent.endswith("00"):
        return None
    named = trace.get_current_span(_propagator.extract({"traceparent": traceparent}, Context()))
    context = named.get_span_context()
    return context if context.is_valid and context.trace_flags.sampled else None


@contextmanager
def span_about(
    name: str,
    causes: Iterable[SpanContext | None],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[Span]:
    """One span, and the current one, for what is done for many at once: it stands in the trace of the first
    cause and links to the others. None of them recorded, there is no span."""
    distinct = {(cause.trace_id, cause.span_id): cause for cause in causes if cause is not None}
    if not distinct:
        yield INVALID_SPAN
        return
    first, *others = distinct.values()
    span = _tracer.start_span(
        name,
        trace.set_span_in_context(NonRecordingSpan(first), Context()),
        kind,
        attributes,
        links=[Link(other) for other in others],
    )
    with ended(span), trace.use_span(span, record_exception=False, set_status_on_exception=False):
        yield span


@contextmanager
def ended(*spans: Span) -> Iterator[None]:
    """Ends the spans with the block. Of an exception its type is told: its text may hold anything."""
    try:
        yield
    except BaseException as error:
        for span in spans:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        for span in spans:
            span.end()


@contextmanager
def process_spans(events: Sequence[Event[Payload]]) -> Iterator[list[Event[Payload]]]:
    """A span for each event whose trace is recorded, a child of whatever sent it; the first is the current
    one. Gives the events back, each bearing the context of its own span."""
    traced, spans = [], []
    for event in events:
        sender = recorded(event.traceparent)
        if sender is not None:
            span = _processing(event, sender)
            spans.append(span)
            event = replace(event, traceparent=traceparent_of(span))
        traced.append(event)
    if not spans:
        yield traced
        return
    with ended(*spans), trace.use_span(spans[0], record_exception=False, set_status_on_exception=False):
        yield traced


@contextmanager
def send_span(event_type: str, bodies: Iterable[str]) -> Iterator[Span]:
    """A span for a frame that holds these encoded events."""
    about = [recorded(_traceparent_in(body)) for body in bodies]
    with span_about(
        f"send {event_type}",
        about,
        kind=SpanKind.PRODUCER,
        attributes=_described("send", event_type) | {"messaging.batch.message_count": len(about)},
    ) as span:
        yield span


def traceparent_of(span: Span) -> str:
    """The span's context as a W3C `traceparent`."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_id_of(traceparent: object) -> str | None:
    """The trace id in a `traceparent`, for a log line that is written outside its trace; None for none."""
    return traceparent[3:35] if isinstance(traceparent, str) and len(traceparent) >= _LENGTH else None


def _processing(event: Event[Payload], sender: SpanContext) -> Span:
    return _tracer.start_span(
        f"process {event.type}",
        trace.set_span_in_context(NonRecordingSpan(sender), Context()),
        SpanKind.CONSUMER,
        _described("process", event.type) | {"messaging.message.id": str(event.id)},
    )


def _described(operation: str, event_type: str) -> dict[str, str | int]:
    return {
        **_SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": event_type,
        "messaging.rabbitmq.destination.routing_key": event_type,
    }


def _traceparent_in(body: str) -> str | None:
    begin = body.find(_WRITTEN)
    return None if begin < 0 else body[begin + len(_WRITTEN) : begin + len(_WRITTEN) + _LENGTH]
