"""Read endpoints and deliveries, as their client may."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import DeliveryNotFound, DeliveryStatus
from notification_service.domain.endpoint import Endpoint, EndpointNotFound
from notification_service.persistence import deliveries, endpoints
from notification_service.persistence.deliveries import DeliveryView

# The newest; a delivery retried by hand for ever has more than anyone reads.
MAX_ATTEMPTS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    endpoint_id: UUID | None = None
    payment_id: UUID | None = None
    status: DeliveryStatus | None = None


async def get_endpoint(connection: AsyncConnection, *, client_id: str, endpoint_id: UUID) -> Endpoint:
    """Raises EndpointNotFound."""
    endpoint = await endpoints.load(connection, endpoint_id, client_id=client_id)
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


async def list_endpoints(
    connection: AsyncConnection, *, client_id: str, after: UUID | None, limit: int
) -> list[Endpoint]:
    """The client's endpoints, oldest first, removed ones too."""
    return await endpoints.list_page(connection, client_id=client_id, after=after, limit=limit)


async def get_delivery(
    connection: AsyncConnection, *, client_id: str, delivery_id: UUID
) -> tuple[DeliveryView, Sequence[RowMapping]]:
    """A delivery with its newest attempts, the newest first. Raises DeliveryNotFound."""
    delivery = await deliveries.load(connection, delivery_id, client_id=client_id)
    if delivery is None:
        raise DeliveryNotFound
    attempts = await deliveries.load_attempts(connection, delivery_id, limit=MAX_ATTEMPTS_SHOWN)
    return delivery, attempts


async def list_deliveries(
    connection: AsyncConnection, *, client_id: str, wanted: DeliveryFilter, before: UUID | None, limit: int
) -> list[DeliveryView]:
    """The client's deliveries that match, newest first; a foreign endpoint or payment matches nothing."""
    return await deliveries.list_page(
        connection,
        client_id=client_id,
        endpoint_id=wanted.endpoint_id,
        payment_id=wanted.payment_id,
        status=wanted.status.value if wanted.status else None,
        before=before,
        limit=limit,
    )
