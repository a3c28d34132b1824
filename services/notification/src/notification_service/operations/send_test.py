"""Send a `ping` to one webhook endpoint, so that its owner can see it arrive."""

from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import EndpointNotActive, EndpointNotFound, EndpointStatus
from notification_service.domain.event_types import PING
from notification_service.domain.notification import Notification, render_body
from notification_service.persistence import deliveries, endpoints, notifications
from notification_service.persistence.deliveries import DeliveryView

from .endpoint_entries import deed_entry


async def send_test(
    connection: AsyncConnection,
    *,
    client_id: str,
    origin: Origin,
    endpoint_id: UUID,
    traceparent: str | None,
    clock: Clock,
    new_id: IdFactory,
) -> DeliveryView:
    """The ping's delivery, due at once. While one is on its way that one is answered: pings cannot pile up.

    Raises EndpointNotFound, EndpointNotActive.
    """
    endpoint = await endpoints.load_for_update(connection, endpoint_id, client_id=client_id)
    if endpoint is None:
        raise EndpointNotFound
    if endpoint.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive
    waiting = await deliveries.find_pending(connection, endpoint_id=endpoint_id, type_=PING)
    if waiting is not None:
        return waiting
    now = clock.now()
    ping = Notification(
        id=new_id(),
        client_id=client_id,
        type=PING,
        payment_id=None,
        sequence=0,
        occurred_at=now,
        body=render_body(type=PING, timestamp=now, sequence=0, data={"endpoint_id": str(endpoint_id)}),
        traceparent=traceparent,
    )
    delivery = deliveries.NewDelivery(
        id=new_id(), client_id=client_id, endpoint_id=endpoint_id, notification_id=ping.id, payment_id=None
    )
    await notifications.insert(connection, [ping], at=now)
    await deliveries.insert(connection, [delivery], at=now)
    await record(connection, origin, deed_entry("tested", endpoint_id), at=now)
    sent = await deliveries.load(connection, delivery.id, client_id=client_id)
    assert sent is not None
    return sent
