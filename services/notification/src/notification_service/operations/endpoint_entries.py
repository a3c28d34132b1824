"""What the audit log tells of endpoints: the URL may hold a receiver's own secret, and is masked."""

from typing import Any
from uuid import UUID

from service_kit.audit import Entry

from notification_service.domain.endpoint import Endpoint


def endpoint_entry(
    action: str, before: Endpoint | None, after: Endpoint, *, reason: str | None = None
) -> Entry:
    """What became of the endpoint."""
    return Entry(
        action=f"webhook-endpoint.{action}",
        subject_type="webhook-endpoint",
        subject=str(after.id),
        before=None if before is None else _told(before),
        after=_told(after),
        reason=reason,
        client_id=after.client_id,
    )


def deed_entry(action: str, endpoint_id: UUID, **after: Any) -> Entry:
    """What was asked of an endpoint that stays as it is."""
    return Entry(
        action=f"webhook-endpoint.{action}",
        subject_type="webhook-endpoint",
        subject=str(endpoint_id),
        after=after or None,
    )


def _told(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "status": endpoint.status,
    }
