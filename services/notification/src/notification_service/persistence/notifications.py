"""What there is to tell, each event once, kept for replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.notification import Notification

_INSERT = text(
    """
    INSERT INTO notifications
        (id, client_id, type, payment_id, sequence, occurred_at, recorded_at, body, traceparent)
    SELECT id, client_id, type, payment_id, sequence, occurred_at, :recorded_at, body, traceparent
    FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS text[]), CAST(:types AS text[]),
                CAST(:payment_ids AS uuid[]), CAST(:sequences AS bigint[]),
                CAST(:occurred_ats AS timestamptz[]),
                CAST(:bodies AS text[]), CAST(:traceparents AS text[]))
        AS n (id, client_id, type, payment_id, sequence, occurred_at, body, traceparent)
    ON CONFLICT (id) DO NOTHING
    """
)
_SINCE = text(
    """
    SELECT id, payment_id, occurred_at FROM notifications
    WHERE client_id = :client_id AND type = ANY(CAST(:types AS text[]))
      AND occurred_at >= :since AND occurred_at < :until
    ORDER BY occurred_at, id LIMIT :limit
    """
)


async def insert(connection: AsyncConnection, notifications: Sequence[Notification], *, at: datetime) -> None:
    """Record events; one that is there already stays as it is."""
    parameters: dict[str, Any] = {
        "ids": [n.id for n in notifications],
        "client_ids": [n.client_id for n in notifications],
        "types": [n.type for n in notifications],
        "payment_ids": [n.payment_id for n in notifications],
        "sequences": [n.sequence for n in notifications],
        "occurred_ats": [n.occurred_at for n in notifications],
        "bodies": [n.body for n in notifications],
        "traceparents": [n.traceparent for n in notifications],
        "recorded_at": at,
    }
    await connection.execute(_INSERT, parameters)


async def load_since(
    connection: AsyncConnection,
    *,
    client_id: str,
    types: Sequence[str],
    since: datetime,
    until: datetime,
    limit: int,
) -> Sequence[RowMapping]:
    """id, payment_id and occurred_at of the client's events of these types, oldest first."""
    parameters = {
        "client_id": client_id,
        "types": list(types),
        "since": since,
        "until": until,
        "limit": limit,
    }
    rows = await connection.execute(_SINCE, parameters)
    return rows.mappings().all()
