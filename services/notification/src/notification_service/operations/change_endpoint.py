"""Change what a webhook endpoint is: its URL, its event types, its description."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import Endpoint, EndpointNotFound
from notification_service.persistence import endpoints

from .endpoint_entries import endpoint_entry
from .register_endpoint import refuse_taken_url


class Unchanged:
    """Stands for a field that the client did not send: null is a value of its own."""


UNCHANGED: Final = Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEndpoint:
    """The command; a new URL has been checked against the target policy."""

    client_id: str
    origin: Origin
    endpoint_id: UUID
    url: str | Unchanged
    event_types: Sequence[str] | Unchanged
    description: str | Unchanged | None


async def change_endpoint(
    connection: AsyncConnection, command: ChangeEndpoint, *, clock: Clock, new_id: IdFactory
) -> Endpoint:
    """The endpoint as it is now. Raises EndpointNotFound, EndpointExists."""
    await endpoints.lock_client(connection, command.client_id)
    before = await endpoints.load_for_update(connection, command.endpoint_id, client_id=command.client_id)
    if before is None:
        raise EndpointNotFound
    after = before
    if not isinstance(command.url, Unchanged) and command.url != before.url:
        await refuse_taken_url(connection, client_id=command.client_id, url=command.url)
        after = after.moved(command.url, at=clock.now())
    if not isinstance(command.event_types, Unchanged):
        after = replace(after, event_types=tuple(sorted(set(command.event_types))))
    if not isinstance(command.description, Unchanged):
        after = replace(after, description=command.description)
    if after == before:
        return before
    after = replace(after, updated_at=clock.now())
    await endpoints.save(connection, after)
    await endpoints.add_change(
        connection,
        change_id=new_id(),
        endpoint_id=after.id,
        change="changed",
        reason=None,
        changed_by=command.origin.actor,
        at=after.updated_at,
    )
    await record(connection, command.origin, endpoint_entry("changed", before, after), at=after.updated_at)
    return after
