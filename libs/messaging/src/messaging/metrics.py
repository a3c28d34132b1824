"""Prometheus metrics of the bus. Label values are bounded: types from the catalogue, codes from this code."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_PENDING = Gauge("florin_outbox_pending", "Events that wait to be sent")
OUTBOX_AGE = Gauge("florin_outbox_age_seconds", "Age of the oldest event that waits to be sent")
RELAY_SENT = Counter("florin_relay_sent_total", "Events that the broker has confirmed", ["type"])
RELAY_FAILED = Counter("florin_relay_failed_total", "Frames not confirmed, by why", ["reason"])
RELAY_CONFIRM_SECONDS = Histogram(
    "florin_relay_confirm_seconds",
    "From publish to confirm, per frame",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
CONSUMED = Counter(
    "florin_consumer_events_total", "Events received, by what became of them", ["type", "outcome"]
)
CONSUMER_DELAY_SECONDS = Histogram(
    "florin_consumer_event_delay_seconds",
    "From the time of an event to the commit of its effect",
    ["type"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
CONSUMER_BATCH_SECONDS = Histogram(
    "florin_consumer_batch_seconds",
    "From taking a batch to its commit",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
CONSUMER_BATCH_EVENTS = Histogram(
    "florin_consumer_batch_events", "Events per batch", buckets=(1, 2, 5, 10, 25, 50, 100, 200, 500, 1000)
)
CONSUMER_WAITING = Gauge(
    "florin_consumer_waiting_for_infrastructure", "1 while the consumer waits for a part that is away"
)
# By part, so that a process without one does not seem to have lost the broker.
BROKER_UP = Gauge("florin_broker_up", "1 while this part's connection to the broker works", ["part"])
KEYRING_AGE = Gauge("florin_keyring_age_seconds", "Since the file of message-signing keys was last replaced")
INBOX_DUPLICATES = Counter("florin_inbox_duplicates_total", "Events that had been handled before")
PARKED_EVENTS = Gauge("florin_parked_events", "Events that wait in parked for a person")
QUARANTINED = Counter("florin_quarantined_total", "Frames that failed verification", ["reason"])
# Shown as 0 before the first: an increase is seen only from one value to another.
for _reason in (
    "bad_signature",
    "issued_in_future",
    "malformed_body",
    "malformed_headers",
    "too_large",
    "unknown_content_type",
    "unknown_key",
    "unknown_type",
    "wrong_producer",
):
    QUARANTINED.labels(_reason)
