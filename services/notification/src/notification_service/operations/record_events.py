"""Record the events that a client can be told of, and enqueue a delivery for every endpoint that asked."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import EndpointStatus
from notification_service.domain.notification import Notification
from notification_service.persistence import deliveries, endpoints, notifications

Heard = TypeVar("Heard")


async def record_events(
    connection: AsyncConnection,
    events: Sequence[Heard],
    *,
    client_of: Callable[[Heard], str],
    notification_of: Callable[[Heard], Notification],
    clock: Clock,
    new_id: IdFactory,
) -> int:
    """Answers how many deliveries are due by this.

    Events of clients without endpoints cost one query, are not even translated, and leave nothing behind.
    Those of a client that has one, even switched off or subscribed to other types, are recorded: that is what
    a replay can send.
    """
    listening = await endpoints.listening(connection, sorted({client_of(event) for event in events}))
    if not listening:
        return 0
    heard = [notification_of(event) for event in events if client_of(event) in listening]
    now = clock.now()
    await notifications.insert(connection, heard, at=now)
    due = [
        deliveries.NewDelivery(
            id=new_id(),
            client_id=event.client_id,
            endpoint_id=endpoint["id"],
            notification_id=event.id,
            payment_id=event.payment_id,
        )
        for event in heard
        for endpoint in listening[event.client_id]
        if endpoint["status"] == EndpointStatus.ACTIVE and event.type in endpoint["event_types"]
    ]
    if due:
        await deliveries.insert(connection, due, at=now)
    return len(due)
