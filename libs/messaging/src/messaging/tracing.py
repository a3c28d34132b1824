"""One `process` span per event, as a child of whatever sent it, when traces are recorded at all.

Names and attributes follow OpenTelemetry's semantic conventions for messaging.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from contracts.messages import Payload
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from messaging.event import Event

_tracer = trace.get_tracer("florin.messaging")
_propagator = TraceContextTextMapPropagator()


@contextmanager
def process_spans(events: Sequence[Event[Payload]]) -> Iterator[list[Event[Payload]]]:
    """Give the events back, each bearing the context of its own span if one is being recorded."""
    with ExitStack() as stack:
        yield [_traced(event, stack) for event in events]


def _traced(event: Event[Payload], stack: ExitStack) -> Event[Payload]:
    # The flag's last digit says whether anybody upstream records this trace (W3C trace context).
    if event.traceparent is None or not event.traceparent.endswith("1"):
        return event
    context = _propagator.extract({"traceparent": event.traceparent})
    span = _tracer.start_span(
        f"process {event.type}",
        context,
        SpanKind.CONSUMER,
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "messaging.message.id": str(event.id),
        },
    )
    stack.callback(span.end)
    if not span.is_recording():
        return event
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span))
    return replace(event, traceparent=carrier["traceparent"])
