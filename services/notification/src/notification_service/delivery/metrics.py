"""Prometheus metrics of webhook delivery. Labels are bounded: our own codes, never a client or an address."""

from service_kit.telemetry import counter, gauge, histogram

from notification_service.domain.delivery import Finished
from notification_service.domain.endpoint import DisabledReason

ATTEMPTS = counter("webhook_attempts", "Webhook attempts, by what came of them", ["outcome"])
SECONDS = histogram(
    "webhook_attempt_seconds",
    "From the beginning of an attempt to its answer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
)
DELAY = histogram(
    "webhook_first_attempt_delay_seconds",
    "From an event to the answer to the first attempt; not of replays, nor of what waited for a circuit",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 3600),
)
DUE = gauge(
    "webhook_deliveries_due", "Webhook deliveries that are due and wait for us, counted up to a limit"
)
OLDEST_DUE = gauge("webhook_oldest_due_seconds", "How long the oldest due webhook delivery has waited for us")
ACTIVE = gauge("webhook_endpoints_active", "Webhook endpoints that are switched on")
CIRCUITS_OPEN = gauge("webhook_circuits_open", "Active webhook endpoints whose circuit is not closed")
HELD_BACK = gauge(
    "webhook_deliveries_held_back",
    "Webhook deliveries that are due and wait for their receiver's circuit, counted up to a limit",
)
DISABLED = counter(
    "webhook_endpoints_disabled", "Webhook endpoints switched off by us, by reason", ["reason"]
)

# Shown as 0 before the first: an increase is seen only from one value to another.
for _reason in DisabledReason:
    DISABLED.labels(reason=_reason.value)

_OUTCOMES = {code: ATTEMPTS.labels(outcome=code) for code in ("delivered",)}


def count_attempt(finished: Finished) -> None:
    """Count one attempt by `delivered` or its error code, and the first by how late it came."""
    answer, claim = finished.answer, finished.claim
    outcome = answer.error.value if answer.error is not None else "delivered"
    child = _OUTCOMES.get(outcome)
    if child is None:
        child = _OUTCOMES[outcome] = ATTEMPTS.labels(outcome=outcome)
    child.inc()
    SECONDS.observe(finished.duration_ms / 1_000)
    if claim.attempt_no == 1 and not claim.replayed and not claim.held_back:
        DELAY.observe(max(0.0, (finished.ended_at - claim.occurred_at).total_seconds()))
