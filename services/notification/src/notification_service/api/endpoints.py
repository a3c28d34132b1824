"""/v1/webhook-endpoints"""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.cursors import Cursor, Limit, Listing
from service_kit.telemetry import current_traceparent

from notification_service.operations import browse
from notification_service.operations.change_endpoint import UNCHANGED, ChangeEndpoint, change_endpoint
from notification_service.operations.register_endpoint import RegisterEndpoint, register_endpoint
from notification_service.operations.replay_events import ReplayEvents, replay_events
from notification_service.operations.rotate_secret import RotateSecret, rotate_secret
from notification_service.operations.send_test import send_test
from notification_service.operations.switch_endpoint import SwitchEndpoint, enable_endpoint, remove_endpoint

from .parts import Given, Reader, Writer, conflict
from .schemas import (
    DeliveryOut,
    EndpointChange,
    EndpointOut,
    EndpointPage,
    NewEndpoint,
    NewSecret,
    RegisteredEndpoint,
    ReplayOut,
    ReplayRequest,
    Rotation,
    delivery_out,
    endpoint_fields,
    endpoint_out,
)

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook endpoints"])


@router.post("", status_code=201, responses={**conflict("The URL is taken, or there are too many.")})
async def register_webhook_endpoint(
    body: NewEndpoint, response: Response, client: Writer, origin: Audited, given: Given
) -> RegisteredEndpoint:
    """Register an endpoint. The answer is the only one that ever shows its secret."""
    # Before the transaction: a name's look-up must not hold a database connection.
    await given.target_check.check(body.url)
    command = RegisterEndpoint(
        client_id=client.id,
        origin=origin,
        url=body.url,
        event_types=body.event_types,
        description=body.description,
    )
    async with given.database.transaction() as connection:
        endpoint, secret = await register_endpoint(
            connection,
            command,
            limits=given.endpoint_limits,
            clock=given.clock,
            new_id=given.new_id,
            random_bytes=given.random_bytes,
        )
    response.headers["location"] = f"/v1/webhook-endpoints/{endpoint.id}"
    return RegisteredEndpoint.model_validate({**endpoint_fields(endpoint), "secret": secret.reveal()})


@router.get("")
async def list_webhook_endpoints(
    client: Reader,
    given: Given,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> EndpointPage:
    """Your endpoints, oldest first, removed ones too."""
    listing = Listing[UUID | None]("webhook endpoints", cursor, limit, start=None, read=UUID)
    async with given.database.snapshot() as connection:
        found = await browse.list_endpoints(
            connection, client_id=client.id, after=listing.position, limit=listing.rows
        )
    page, next_cursor = listing.page(found, lambda row: row.id)
    return EndpointPage(items=[endpoint_out(endpoint) for endpoint in page], next_cursor=next_cursor)


@router.get("/{endpoint_id}")
async def get_webhook_endpoint(endpoint_id: UUID, client: Reader, given: Given) -> EndpointOut:
    """One endpoint."""
    async with given.database.snapshot() as connection:
        return endpoint_out(
            await browse.get_endpoint(connection, client_id=client.id, endpoint_id=endpoint_id)
        )


@router.patch("/{endpoint_id}", responses={**conflict("The URL is taken by another endpoint of yours.")})
async def change_webhook_endpoint(
    endpoint_id: UUID, body: EndpointChange, client: Writer, origin: Audited, given: Given
) -> EndpointOut:
    """Change URL, event types or description; what is left out stays."""
    sent = body.model_fields_set
    if "url" in sent:
        await given.target_check.check(body.url)
    command = ChangeEndpoint(
        client_id=client.id,
        origin=origin,
        endpoint_id=endpoint_id,
        url=body.url if "url" in sent else UNCHANGED,
        event_types=body.event_types if "event_types" in sent else UNCHANGED,
        description=body.description if "description" in sent else UNCHANGED,
    )
    async with given.database.transaction() as connection:
        endpoint = await change_endpoint(connection, command, clock=given.clock, new_id=given.new_id)
    return endpoint_out(endpoint)


@router.delete("/{endpoint_id}")
async def remove_webhook_endpoint(
    endpoint_id: UUID, client: Writer, origin: Audited, given: Given
) -> EndpointOut:
    """Send nothing there any more and cancel what waits. The endpoint stays on record and can be enabled."""
    command = SwitchEndpoint(client_id=client.id, origin=origin, endpoint_id=endpoint_id)
    async with given.database.transaction() as connection:
        endpoint = await remove_endpoint(connection, command, clock=given.clock, new_id=given.new_id)
    return endpoint_out(endpoint)


@router.post("/{endpoint_id}/enable", responses={**conflict("The URL is taken, or there are too many.")})
async def enable_webhook_endpoint(
    endpoint_id: UUID, client: Writer, origin: Audited, given: Given
) -> EndpointOut:
    """Send events there again from now on; ask for a replay of what it missed."""
    command = SwitchEndpoint(client_id=client.id, origin=origin, endpoint_id=endpoint_id)
    async with given.database.transaction() as connection:
        endpoint = await enable_endpoint(
            connection, command, limits=given.endpoint_limits, clock=given.clock, new_id=given.new_id
        )
    return endpoint_out(endpoint)


@router.post("/{endpoint_id}/secret/rotations", status_code=201)
async def rotate_webhook_secret(
    endpoint_id: UUID, client: Writer, origin: Audited, given: Given, body: Rotation | None = None
) -> NewSecret:
    """Make a new secret; the old one signs along until the overlap ends. Shown in this answer alone."""
    asked_s = body.overlap_s if body is not None else None
    overlap = given.secret_overlap if asked_s is None else timedelta(seconds=asked_s)
    command = RotateSecret(client_id=client.id, origin=origin, endpoint_id=endpoint_id, overlap=overlap)
    async with given.database.transaction() as connection:
        rotated = await rotate_secret(
            connection,
            command,
            clock=given.clock,
            new_id=given.new_id,
            random_bytes=given.random_bytes,
        )
    return NewSecret(
        endpoint_id=endpoint_id,
        secret=rotated.secret.reveal(),
        created_at=rotated.created_at,
        previous_expires_at=rotated.previous_expires_at,
    )


@router.post("/{endpoint_id}/test", status_code=202, responses={**conflict("The endpoint is not active.")})
async def test_webhook_endpoint(
    endpoint_id: UUID, client: Writer, origin: Audited, given: Given
) -> DeliveryOut:
    """Send a `ping`; while one is on its way, that one is answered."""
    async with given.database.transaction() as connection:
        delivery = await send_test(
            connection,
            client_id=client.id,
            origin=origin,
            endpoint_id=endpoint_id,
            traceparent=current_traceparent(),
            clock=given.clock,
            new_id=given.new_id,
        )
    return delivery_out(delivery)


@router.post("/{endpoint_id}/replay", status_code=202, responses={**conflict("The endpoint is not active.")})
async def replay_webhook_events(
    endpoint_id: UUID, body: ReplayRequest, client: Writer, origin: Audited, given: Given
) -> ReplayOut:
    """Send the recorded events since a time again; each keeps its webhook id."""
    command = ReplayEvents(
        client_id=client.id, endpoint_id=endpoint_id, since=body.since, until=body.until, origin=origin
    )
    async with given.database.transaction() as connection:
        replayed = await replay_events(connection, command, clock=given.clock, new_id=given.new_id)
    return ReplayOut(queued=replayed.queued, resume_since=replayed.resume_since)
