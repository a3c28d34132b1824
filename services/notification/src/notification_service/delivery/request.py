"""The headers of a webhook request, by the Standard Webhooks specification."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from notification_service.domain.signing import signature_header
from notification_service.operations.claim_deliveries import Outgoing

USER_AGENT: Final = "Florin-Webhooks/1"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def headers_of(outgoing: Outgoing, *, at: datetime, traceparent: str | None) -> Mapping[str, str]:
    """Signed for the attempt made at `at`; with the trace of the event, so that a receiver can join it."""
    claim = outgoing.claim
    timestamp = int(at.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": claim.webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(
            outgoing.secrets, webhook_id=claim.webhook_id, timestamp=timestamp, body=claim.body
        ),
    }
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
        headers["traceparent"] = traceparent
    return headers
