"""Send a `ping` to one webhook endpoint, so that its owner can see it arrive."""

from datetime import datetime
from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.circuit import CircuitState
from notification_service.domain.endpoint import (
    Endpoint,
    EndpointNotActive,
    EndpointNotFound,
    EndpointStatus,
)
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

    While the endpoint's circuit is open the ping is what probes it next.
    Raises EndpointNotFound, EndpointNotActive.
    """
    endpoint = await endpoints.load_for_update(connection, endpoint_id, client_id=client_id)
    if endpoint is None:
        raise EndpointNotFound
    if endpoint.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive
    now = clock.now()
    waiting = await deliveries.find_pending(connection, endpoint_id=endpoint_id, type_=PING)
    held_back = endpoint.circuit.state is not CircuitState.CLOSED
    if waiting is not None and (not held_back or waiting.in_hand(at=now)):
        return waiting
    if waiting is not None:
        delivery_id = waiting.id
        await deliveries.hasten(connection, delivery_id, at=now)
    else:
        delivery_id = await _enqueue_ping(
            connection, endpoint, traceparent=traceparent, now=now, new_id=new_id
        )
    if held_back:
        await endpoints.save(connection, endpoint.asked_for(delivery_id, at=now))
    await record(connection, origin, deed_entry("tested", endpoint_id), at=now)
    sent = await deliveries.load(connection, delivery_id, client_id=client_id)
    assert sent is not None
    return sent


async def _enqueue_ping(
    connection: AsyncConnection,
    endpoint: Endpoint,
    *,
    traceparent: str | None,
    now: datetime,
    new_id: IdFactory,
) -> UUID:
    ping = Notification(
        id=new_id(),
        client_id=endpoint.client_id,
        type=PING,
        payment_id=None,
        sequence=0,
        occurred_at=now,
        body=render_body(type=PING, timestamp=now, sequence=0, data={"endpoint_id": str(endpoint.id)}),
        traceparent=traceparent,
    )
    delivery = deliveries.NewDelivery(
        id=new_id(),
        client_id=endpoint.client_id,
        endpoint_id=endpoint.id,
        notification_id=ping.id,
        payment_id=None,
    )
    await notifications.insert(connection, [ping], at=now)
    await deliveries.insert(connection, [delivery], at=now)
    return delivery.id
