"""Give a webhook endpoint a new signing secret while the old one signs along for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import EndpointNotFound
from notification_service.domain.signing import SECRET_BYTES, SigningSecret
from notification_service.persistence import endpoints, secrets

from .endpoint_entries import deed_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    client_id: str
    origin: Origin
    endpoint_id: UUID
    overlap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    secret: SigningSecret
    created_at: datetime
    previous_expires_at: datetime


async def rotate_secret(
    connection: AsyncConnection,
    command: RotateSecret,
    *,
    clock: Clock,
    new_id: IdFactory,
    random_bytes: Callable[[int], bytes],
) -> Rotated:
    """The new secret, which can never be read again; a leaked one is cut off with an overlap of zero.

    Raises EndpointNotFound.
    """
    endpoint = await endpoints.load_for_update(connection, command.endpoint_id, client_id=command.client_id)
    if endpoint is None:
        raise EndpointNotFound
    now = clock.now()
    secret = SigningSecret(random_bytes(SECRET_BYTES))
    await secrets.expire(connection, endpoint_id=endpoint.id, at=now + command.overlap)
    await secrets.insert(connection, secret_id=new_id(), endpoint_id=endpoint.id, secret=secret, at=now)
    await endpoints.add_change(
        connection,
        change_id=new_id(),
        endpoint_id=endpoint.id,
        change="secret_rotated",
        reason=None,
        changed_by=command.origin.actor,
        at=now,
    )
    entry = deed_entry("secret-rotated", endpoint.id, expires_at=now + command.overlap)
    await record(connection, command.origin, entry, at=now)
    return Rotated(secret=secret, created_at=now, previous_expires_at=now + command.overlap)
