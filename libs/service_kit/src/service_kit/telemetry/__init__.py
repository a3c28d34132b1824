"""What a process tells of itself: JSON log lines, traces by W3C Trace Context, Prometheus metrics."""

from service_kit.telemetry.logs import configure_logging
from service_kit.telemetry.metrics import REGISTRY, counter, gauge, histogram
from service_kit.telemetry.traces import (
    child_span,
    configure_tracing,
    current_recorded,
    current_trace_id,
    current_traceparent,
    shut_down_tracing,
    within_trace,
)

__all__ = [
    "REGISTRY",
    "child_span",
    "configure_logging",
    "configure_tracing",
    "counter",
    "current_recorded",
    "current_trace_id",
    "current_traceparent",
    "gauge",
    "histogram",
    "shut_down_tracing",
    "within_trace",
]
