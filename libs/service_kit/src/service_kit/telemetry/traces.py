"""Traces by W3C Trace Context: every request has one, exported or not.

Which traces are recorded is decided where they begin: a caller's decision stands (its `traceparent` tells),
and of those that begin here a share is recorded. All that follows, in whatever process, keeps to it. Where no
collector is configured nothing is recorded, but the trace id still runs from the incoming `traceparent` (or a
new random one) through log lines, problems, the outbox and the messages.
"""

import random
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from messaging.tracing import ended
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from service_kit.telemetry.request_ids import current_request_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# The default of the specification, said here so that the collector's wait is bounded by us.
_EXPORT_TIMEOUT_S = 10.0
_random = random.Random()  # noqa: S311  seeded from the system; see _new_context

_provider: "TracerProvider | None" = None
_share = 1.0


def configure_tracing(
    *, service: str, endpoint: str | None = None, share: float = 1.0, environment: str = "production"
) -> bool:
    """Sends spans over OTLP/HTTP to the collector at `endpoint` (a base URL); says whether it does.

    `share`, 0 to 1, is how many of the traces that begin in this process are recorded.
    """
    global _provider, _share  # noqa: PLW0603  the SDK itself allows one provider a process
    if _provider is not None:
        return True
    if not endpoint:
        return False
    # Here alone: a process that sends no spans does without the modules that would send them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

    resource = {
        "service.name": f"florin-{service}",
        "service.namespace": "florin",
        "service.version": version("florin-service-kit"),
        "service.instance.id": f"{_random.getrandbits(64):016x}",
        "deployment.environment.name": environment,
    }
    # `begin_request` decides on a new trace itself, before anything is made for it.
    _share = share
    _provider = TracerProvider(resource=Resource.create(resource), sampler=ParentBased(ALWAYS_ON))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(_provider)
    return True


def shut_down_tracing() -> None:
    """Sends the spans still waiting; bounded by the exporter's own timeout."""
    if _provider is not None:
        _provider.shutdown()


def parse_traceparent(value: bytes | None) -> SpanContext | None:
    """The remote span an incoming header names; None for none, a malformed or an all-zero one."""
    if value is None or len(value) > 512:
        return None
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    context = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16) & 1)
    )
    return context if context.is_valid else None


def begin_request(method: str, traceparent: bytes | None) -> tuple[Span, Token[Context]]:
    """Makes a span current for one request: a recorded one when traces are exported, else a name to
    pass on."""
    parent = parse_traceparent(traceparent)
    if _provider is not None and _is_chosen(parent):
        surrounding = (
            Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
        )
        span: Span = _provider.get_tracer("florin.http").start_span(
            method, context=surrounding, kind=SpanKind.SERVER, attributes={"http.request.method": method}
        )
    else:
        span = NonRecordingSpan(parent or _new_context())
    return span, otel_context.attach(trace.set_span_in_context(span))


def end_request(span: Span, token: Token[Context], *, method: str, route: str, status: int) -> None:
    """Ends what `begin_request` began."""
    otel_context.detach(token)
    if span.is_recording():
        span.update_name(f"{method} {route}")
        # The route's template only: a path or a query may name a person.
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.StatusCode.ERROR)
        span.end()


@contextmanager
def child_span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> Iterator[Span]:
    """A span below the current one, if that is being recorded; else the current one goes on being so."""
    current = trace.get_current_span()
    if not current.is_recording():
        yield current
        return
    span = trace.get_tracer("florin.service_kit").start_span(
        name, kind=kind, attributes={key.replace("_", "."): value for key, value in attributes.items()}
    )
    with ended(span), trace.use_span(span, record_exception=False, set_status_on_exception=False):
        yield span


def database_span(name: str, operation: str) -> AbstractContextManager[Span]:
    """From asking for a connection to giving it back; its statements have none of their own."""
    return child_span(
        f"{operation} {name}",
        SpanKind.CLIENT,
        db_system_name="postgresql",
        db_namespace=name,
        db_operation_name=operation,
    )


def current_recorded() -> SpanContext | None:
    """The current span, if it is being recorded: for work that is done together with others'."""
    span = trace.get_current_span()
    return span.get_span_context() if span.is_recording() else None


@contextmanager
def within_trace(traceparent: str | None) -> Iterator[None]:
    """Goes on with a trace that began elsewhere, for work handed to another task (a group commit)."""
    parent = parse_traceparent(traceparent.encode("ascii", "replace")) if traceparent is not None else None
    if parent is None:
        yield
        return
    token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))
    try:
        yield
    finally:
        otel_context.detach(token)


def current_trace_id() -> str | None:
    """The trace id of the work being done, 32 hex digits; None outside any."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def current_traceparent() -> str | None:
    """The W3C `traceparent` to hand on with work that continues elsewhere; None outside any."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _is_chosen(parent: SpanContext | None) -> bool:
    return parent.trace_flags.sampled if parent is not None else _random.random() < _share


def _new_context() -> SpanContext:
    # Not a secret: trace ids need to be distinct, not unguessable, and the fast generator is 10x cheaper.
    return SpanContext(
        _random.getrandbits(128) or 1,
        _random.getrandbits(64) or 1,
        is_remote=False,
        trace_flags=TraceFlags(0),
    )


def add_trace_ids(_logger: Any, _method: str, event: Any) -> Any:
    """A structlog processor: puts the ids of trace and request on every line that is written within one."""
    trace_id = current_trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    request_id = current_request_id()
    if request_id is not None:
        event["request_id"] = request_id.text
    return event
