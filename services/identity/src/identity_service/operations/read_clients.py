"""Read clients, as far as the caller may see."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.client import ClientNotFound, RegisteredClient
from identity_service.persistence import clients
from identity_service.persistence.clients import ClientChangeRecord

HISTORY_SHOWN = 100


async def read_client(connection: AsyncConnection, client_id: str) -> RegisteredClient:
    """Raises ClientNotFound."""
    client = await clients.load(connection, client_id)
    if client is None:
        raise ClientNotFound(client_id)
    return client


async def read_history(connection: AsyncConnection, client_id: str) -> Sequence[ClientChangeRecord]:
    """The newest of what happened to the client. Raises ClientNotFound."""
    client = await read_client(connection, client_id)
    return await clients.history(connection, client.id, limit=HISTORY_SHOWN)


async def list_clients(
    connection: AsyncConnection, *, only: str | None, after: str, limit: int
) -> Sequence[RegisteredClient]:
    """Clients in the order of their ids; `only` for one who may see no other."""
    return await clients.list_page(connection, only=only, after=after, limit=limit)
