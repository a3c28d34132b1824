"""/v1/webhook-deliveries"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from service_kit.audit import Audited
from service_kit.cursors import Cursor, Limit, Listing

from notification_service.domain.delivery import DeliveryStatus
from notification_service.operations import browse
from notification_service.operations.browse import DeliveryFilter
from notification_service.operations.retry_delivery import retry_delivery

from .parts import Given, Reader, Writer, conflict
from .schemas import (
    DeliveryOut,
    DeliveryPage,
    DeliveryState,
    DeliveryWithAttempts,
    delivery_fields,
    delivery_out,
)

router = APIRouter(prefix="/v1/webhook-deliveries", tags=["webhook deliveries"])


@router.get("")
async def list_webhook_deliveries(
    client: Reader,
    given: Given,
    endpoint: Annotated[UUID | None, Query(description="Only to this endpoint.")] = None,
    payment: Annotated[UUID | None, Query(description="Only of this payment.")] = None,
    status: Annotated[DeliveryState | None, Query(description="Only in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """Your deliveries, newest first."""
    wanted = DeliveryFilter(
        endpoint_id=endpoint, payment_id=payment, status=DeliveryStatus(status) if status else None
    )
    listing = Listing[UUID | None]("webhook deliveries", cursor, limit, start=None, read=UUID)
    async with given.database.snapshot() as connection:
        found = await browse.list_deliveries(
            connection, client_id=client.id, wanted=wanted, before=listing.position, limit=listing.rows
        )
    page, next_cursor = listing.page(found, lambda row: row.id)
    return DeliveryPage(items=[delivery_out(delivery) for delivery in page], next_cursor=next_cursor)


@router.get("/{delivery_id}")
async def get_webhook_delivery(delivery_id: UUID, client: Reader, given: Given) -> DeliveryWithAttempts:
    """One delivery with its newest attempts."""
    async with given.database.snapshot() as connection:
        delivery, attempts = await browse.get_delivery(
            connection, client_id=client.id, delivery_id=delivery_id
        )
    return DeliveryWithAttempts.model_validate(
        {**delivery_fields(delivery), "attempt_log": [dict(attempt) for attempt in attempts]}
    )


@router.post(
    "/{delivery_id}/retry",
    status_code=202,
    responses={**conflict("The endpoint is not active, or the delivery is being sent.")},
)
async def retry_webhook_delivery(
    delivery_id: UUID, client: Writer, origin: Audited, given: Given
) -> DeliveryOut:
    """Send it again now, whatever became of it before; its webhook id stays the same."""
    async with given.database.transaction() as connection:
        delivery = await retry_delivery(
            connection, client_id=client.id, origin=origin, delivery_id=delivery_id, clock=given.clock
        )
    return delivery_out(delivery)
