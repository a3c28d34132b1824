"""Send one webhook delivery again, whatever became of it."""

from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import DeliveryInProgress, DeliveryNotFound
from notification_service.domain.endpoint import EndpointNotActive, EndpointStatus
from notification_service.persistence import deliveries, endpoints
from notification_service.persistence.deliveries import DeliveryView


async def retry_delivery(
    connection: AsyncConnection, *, client_id: str, origin: Origin, delivery_id: UUID, clock: Clock
) -> DeliveryView:
    """The delivery, due at once with its whole schedule before it; its webhook id stays the same.

    While the endpoint's circuit is open it is what probes it next.
    Raises DeliveryNotFound, EndpointNotActive, and DeliveryInProgress while a worker has it in hand.
    """
    found = await deliveries.load(connection, delivery_id, client_id=client_id)
    if found is None:
        raise DeliveryNotFound
    # The endpoint is locked before its delivery, as by the workers that record attempts: no deadlock.
    endpoint = await endpoints.load_for_update(connection, found.endpoint_id, client_id=client_id)
    if endpoint is None or endpoint.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive
    delivery = await deliveries.load_for_update(connection, delivery_id, client_id=client_id)
    assert delivery is not None
    now = clock.now()
    if delivery.in_hand(at=now):
        raise DeliveryInProgress
    await deliveries.restart(connection, delivery_id, at=now)
    asked = endpoint.asked_for(delivery_id, at=now)
    if asked is not endpoint:
        await endpoints.save(connection, asked)
    entry = Entry(
        action="webhook-delivery.retried", subject_type="webhook-delivery", subject=str(delivery_id)
    )
    await record(connection, origin, entry, at=now)
    restarted = await deliveries.load(connection, delivery_id, client_id=client_id)
    assert restarted is not None
    return restarted
