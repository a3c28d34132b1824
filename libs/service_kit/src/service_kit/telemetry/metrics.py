"""Prometheus metrics. A child per set of labels is looked up once and kept by its user: `labels()` is
slow."""

from collections.abc import Sequence

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

# Seconds; fine around the few milliseconds in which a request or a batch should end.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def counter(name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only grows; the exposition adds `_total`."""
    return Counter(f"florin_{name}", help_text, labels)


def gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
    """A value that goes up and down."""
    return Gauge(f"florin_{name}", help_text, labels)


def histogram(
    name: str, help_text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    """A distribution, by default of seconds."""
    return Histogram(f"florin_{name}", help_text, labels, buckets=tuple(buckets))


__all__ = ["LATENCY_BUCKETS", "REGISTRY", "counter", "gauge", "histogram"]
