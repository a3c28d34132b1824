"""Send a webhook endpoint what happened since a time again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import EndpointNotActive, EndpointNotFound, EndpointStatus
from notification_service.persistence import deliveries, endpoints, notifications

from .endpoint_entries import deed_entry

# Far more than one commit of the payer's side can give the same instant: a replay always gets on.
MAX_REPLAYED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEvents:
    client_id: str
    endpoint_id: UUID
    since: datetime
    until: datetime | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """`queued` deliveries are due by this; where `resume_since` is set, call again with it for the rest."""

    queued: int
    resume_since: datetime | None


async def replay_events(
    connection: AsyncConnection, command: ReplayEvents, *, clock: Clock, new_id: IdFactory
) -> Replayed:
    """Enqueue the recorded events of the endpoint's types, oldest first, whether they had arrived or not.

    Only events recorded while the client had an endpoint can be replayed. Each keeps its webhook id, so a
    receiver recognises what it has. Raises EndpointNotFound, EndpointNotActive.
    """
    # The lock also keeps workers that record for this endpoint apart: they take it before its deliveries.
    endpoint = await endpoints.load_for_update(connection, command.endpoint_id, client_id=command.client_id)
    if endpoint is None:
        raise EndpointNotFound
    if endpoint.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive
    now = clock.now()
    found = await notifications.load_since(
        connection,
        client_id=command.client_id,
        types=endpoint.event_types,
        since=command.since,
        until=command.until or now,
        limit=MAX_REPLAYED + 1,
    )
    again = [
        deliveries.NewDelivery(
            id=new_id(),
            client_id=command.client_id,
            endpoint_id=endpoint.id,
            notification_id=row["id"],
            payment_id=row["payment_id"],
        )
        for row in found[:MAX_REPLAYED]
    ]
    queued = await deliveries.insert_or_restart(connection, again, at=now) if again else 0
    told = {"from": command.since, "to": command.until, "count": queued}
    await record(connection, command.origin, deed_entry("replayed", endpoint.id, **told), at=now)
    more = found[MAX_REPLAYED]["occurred_at"] if len(found) > MAX_REPLAYED else None
    return Replayed(queued=queued, resume_since=more)
