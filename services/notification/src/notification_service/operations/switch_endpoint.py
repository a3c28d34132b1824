"""Switch a webhook endpoint off by removing it, or on again."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import (
    DisabledReason,
    Endpoint,
    EndpointNotFound,
    EndpointStatus,
)
from notification_service.persistence import deliveries, endpoints

from .endpoint_entries import endpoint_entry
from .register_endpoint import EndpointLimits, refuse_taken_url, refuse_too_many

# At once within the request; whatever waits beyond that is cancelled by the worker's sweep.
CANCEL_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEndpoint:
    client_id: str
    origin: Origin
    endpoint_id: UUID


async def remove_endpoint(
    connection: AsyncConnection, command: SwitchEndpoint, *, clock: Clock, new_id: IdFactory
) -> Endpoint:
    """Nothing goes to it any more, it stays on record. Removing it again changes nothing."""
    before = await _load(connection, command)
    after = before.disabled(DisabledReason.REMOVED_BY_CLIENT, at=clock.now())
    if after is not before:
        await save_switched_off(connection, before, after, origin=command.origin, new_id=new_id)
    return after


async def enable_endpoint(
    connection: AsyncConnection,
    command: SwitchEndpoint,
    *,
    limits: EndpointLimits,
    clock: Clock,
    new_id: IdFactory,
) -> Endpoint:
    """Events go to it from now on; what it missed is sent by a replay. Enabling it again changes nothing."""
    await endpoints.lock_client(connection, command.client_id)
    before = await _load(connection, command)
    after = before.enabled(at=clock.now())
    if after is before:
        return before
    if before.status is EndpointStatus.REMOVED:
        await refuse_taken_url(connection, client_id=command.client_id, url=before.url)
        await refuse_too_many(connection, command.client_id, limits)
    await endpoints.save(connection, after)
    await endpoints.add_change(
        connection,
        change_id=new_id(),
        endpoint_id=after.id,
        change="enabled",
        reason=None,
        changed_by=command.origin.actor,
        at=after.updated_at,
    )
    await record(connection, command.origin, endpoint_entry("enabled", before, after), at=after.updated_at)
    return after


async def save_switched_off(
    connection: AsyncConnection, before: Endpoint, after: Endpoint, *, origin: Origin, new_id: IdFactory
) -> None:
    """Store an endpoint that was just switched off, with its reason, and cancel what waits for it."""
    assert after.status_reason is not None
    await endpoints.save(connection, after)
    await endpoints.add_change(
        connection,
        change_id=new_id(),
        endpoint_id=after.id,
        change=after.status.value,
        reason=after.status_reason.value,
        changed_by=origin.actor,
        at=after.status_changed_at,
    )
    entry = endpoint_entry("switched-off", before, after, reason=after.status_reason.value)
    await record(connection, origin, entry, at=after.status_changed_at)
    await deliveries.cancel_pending(connection, after.id, at=after.status_changed_at, limit=CANCEL_AT_ONCE)


async def _load(connection: AsyncConnection, command: SwitchEndpoint) -> Endpoint:
    endpoint = await endpoints.load_for_update(connection, command.endpoint_id, client_id=command.client_id)
    if endpoint is None:
        raise EndpointNotFound
    return endpoint
