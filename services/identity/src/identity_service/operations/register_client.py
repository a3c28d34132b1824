"""Register an upstream system."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.client import ClientChange, ClientExists, ClientStatus, RegisteredClient
from identity_service.persistence import clients


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClient:
    """Who is to be registered, and the most that it may ever do."""

    client_id: str
    name: str
    scopes: frozenset[str]
    origin: Origin


async def register_client(
    connection: AsyncConnection, command: RegisterClient, *, clock: Clock, new_id: IdFactory
) -> tuple[RegisteredClient, bool]:
    """The client, and whether it is new. The same registration again finds it, so that a retry is safe.

    Raises ClientExists when the id is another's.
    """
    at = clock.now()
    client = RegisteredClient(
        id=command.client_id,
        name=command.name,
        scopes=command.scopes,
        status=ClientStatus.ACTIVE,
        registered_at=at,
        updated_at=at,
    )
    if await clients.insert(connection, client):
        await clients.record_change(
            connection,
            change_id=new_id(),
            client_id=client.id,
            change=ClientChange.REGISTERED,
            reason=None,
            author=command.origin.actor,
            at=at,
        )
        entry = Entry(
            action="client.registered",
            subject_type="client",
            subject=client.id,
            after={"name": client.name, "scopes": client.scopes, "status": client.status},
            client_id=client.id,
        )
        await record(connection, command.origin, entry, at=at)
        return client, True
    standing = await clients.load(connection, client.id)
    if standing is None or (standing.name, standing.scopes) != (client.name, client.scopes):
        raise ClientExists(client.id)
    return standing, False
