"""Read a client's keys."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import ApiKey
from identity_service.operations.read_clients import read_client
from identity_service.persistence import api_keys


async def list_keys(
    connection: AsyncConnection, client_id: str, *, after: UUID | None, limit: int
) -> Sequence[ApiKey]:
    """The client's keys, oldest first, ended ones too. Raises ClientNotFound."""
    client = await read_client(connection, client_id)
    return await api_keys.list_page(connection, client.id, after=after, limit=limit)
