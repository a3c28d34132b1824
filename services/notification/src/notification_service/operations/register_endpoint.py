"""Register a webhook endpoint with its first signing secret."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service_kit.audit import Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.endpoint import (
    Endpoint,
    EndpointExists,
    EndpointStatus,
    TooManyEndpoints,
)
from notification_service.domain.signing import SECRET_BYTES, SigningSecret
from notification_service.persistence import endpoints, secrets

from .endpoint_entries import endpoint_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEndpoint:
    """The command; its URL has been checked against the target policy."""

    client_id: str
    origin: Origin
    url: str
    event_types: Sequence[str]
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLimits:
    """How many endpoints a client may have in use, and how many rows in all with the removed ones."""

    standing: int = 20
    kept: int = 500


async def register_endpoint(
    connection: AsyncConnection,
    command: RegisterEndpoint,
    *,
    limits: EndpointLimits,
    clock: Clock,
    new_id: IdFactory,
    random_bytes: Callable[[int], bytes],
) -> tuple[Endpoint, SigningSecret]:
    """The new endpoint and its secret, which can never be read again.

    Raises TooManyEndpoints, EndpointExists.
    """
    await endpoints.lock_client(connection, command.client_id)
    await refuse_taken_url(connection, client_id=command.client_id, url=command.url)
    await refuse_too_many(connection, command.client_id, limits)
    now = clock.now()
    endpoint = Endpoint(
        id=new_id(),
        client_id=command.client_id,
        url=command.url,
        description=command.description,
        event_types=tuple(sorted(set(command.event_types))),
        status=EndpointStatus.ACTIVE,
        status_reason=None,
        status_changed_at=now,
        failing_since=None,
        created_at=now,
        updated_at=now,
    )
    secret = SigningSecret(random_bytes(SECRET_BYTES))
    await endpoints.insert(connection, endpoint)
    await secrets.insert(connection, secret_id=new_id(), endpoint_id=endpoint.id, secret=secret, at=now)
    await endpoints.add_change(
        connection,
        change_id=new_id(),
        endpoint_id=endpoint.id,
        change="registered",
        reason=None,
        changed_by=command.origin.actor,
        at=now,
    )
    await record(connection, command.origin, endpoint_entry("registered", None, endpoint), at=now)
    return endpoint, secret


async def refuse_taken_url(connection: AsyncConnection, *, client_id: str, url: str) -> None:
    """Two endpoints with one URL would tell the same receiver everything twice."""
    taken = await endpoints.find_by_url(connection, client_id=client_id, url=url)
    if taken is not None:
        raise EndpointExists(taken)


async def refuse_too_many(connection: AsyncConnection, client_id: str, limits: EndpointLimits) -> None:
    standing, kept = await endpoints.count(connection, client_id)
    if standing >= limits.standing:
        raise TooManyEndpoints(limits.standing)
    if kept >= limits.kept:
        raise TooManyEndpoints(limits.kept)
