"""Clients and the append-only record of what happened to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.client import ClientChange, ClientStatus, RegisteredClient

_INSERT = text(
    """
    INSERT INTO clients (id, name, scopes, status, registered_at, updated_at)
    VALUES (:id, :name, :scopes, :status, :registered_at, :updated_at)
    ON CONFLICT (id) DO NOTHING RETURNING id
    """
)
_UPDATE = text("UPDATE clients SET status = :status, updated_at = :updated_at WHERE id = :id")
_LOAD = "SELECT id, name, scopes, status, registered_at, updated_at FROM clients WHERE id = :id"
_LOAD_ONE = text(_LOAD)
_LOAD_FOR_UPDATE = text(_LOAD + " FOR NO KEY UPDATE")
# Waits for whoever changes the client, and holds such a one up until this transaction's end.
_LOAD_HELD = text(_LOAD + " FOR SHARE")
_LIST = text(
    """
    SELECT id, name, scopes, status, registered_at, updated_at FROM clients
    WHERE id > :after AND (CAST(:only AS text) IS NULL OR id = CAST(:only AS text))
    ORDER BY id LIMIT :limit
    """
)
_RECORD = text(
    """
    INSERT INTO client_changes (id, client_id, change, reason, author, changed_at)
    VALUES (:id, :client_id, :change, :reason, :author, :changed_at)
    """
)
_HISTORY = text(
    """
    SELECT change, reason, author, changed_at FROM client_changes WHERE client_id = :client_id
    ORDER BY id DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChangeRecord:
    """One line of a client's history."""

    change: ClientChange
    reason: str | None
    author: str
    changed_at: datetime


async def insert(connection: AsyncConnection, client: RegisteredClient) -> bool:
    """Whether the id was free."""
    parameters = {
        "id": client.id,
        "name": client.name,
        "scopes": sorted(client.scopes),
        "status": client.status.value,
        "registered_at": client.registered_at,
        "updated_at": client.updated_at,
    }
    return await connection.scalar(_INSERT, parameters) is not None


async def save_status(connection: AsyncConnection, client: RegisteredClient) -> None:
    """Keep the client's status."""
    parameters = {"id": client.id, "status": client.status.value, "updated_at": client.updated_at}
    await connection.execute(_UPDATE, parameters)


async def load(connection: AsyncConnection, client_id: str) -> RegisteredClient | None:
    """The client as it is."""
    return _one(await connection.execute(_LOAD_ONE, {"id": client_id}))


async def load_for_update(connection: AsyncConnection, client_id: str) -> RegisteredClient | None:
    """The client, for one who is about to change it or its keys."""
    return _one(await connection.execute(_LOAD_FOR_UPDATE, {"id": client_id}))


async def load_held(connection: AsyncConnection, client_id: str) -> RegisteredClient | None:
    """The client as it stays until the transaction ends."""
    return _one(await connection.execute(_LOAD_HELD, {"id": client_id}))


async def list_page(
    connection: AsyncConnection, *, only: str | None, after: str, limit: int
) -> Sequence[RegisteredClient]:
    """Clients in the order of their ids; `only` leaves one client in sight."""
    rows = await connection.execute(_LIST, {"only": only, "after": after, "limit": limit})
    return [_client(row) for row in rows]


async def record_change(
    connection: AsyncConnection,
    *,
    change_id: UUID,
    client_id: str,
    change: ClientChange,
    reason: str | None,
    author: str,
    at: datetime,
) -> None:
    """Append to the client's history."""
    parameters = {
        "id": change_id,
        "client_id": client_id,
        "change": change.value,
        "reason": reason,
        "author": author,
        "changed_at": at,
    }
    await connection.execute(_RECORD, parameters)


async def history(connection: AsyncConnection, client_id: str, *, limit: int) -> Sequence[ClientChangeRecord]:
    """What happened to the client, newest first."""
    rows = await connection.execute(_HISTORY, {"client_id": client_id, "limit": limit})
    return [
        ClientChangeRecord(
            change=ClientChange(row.change), reason=row.reason, author=row.author, changed_at=row.changed_at
        )
        for row in rows
    ]


def _one(result: Any) -> RegisteredClient | None:
    row = result.one_or_none()
    return None if row is None else _client(row)


def _client(row: Any) -> RegisteredClient:
    return RegisteredClient(
        id=row.id,
        name=row.name,
        scopes=frozenset(row.scopes),
        status=ClientStatus(row.status),
        registered_at=row.registered_at,
        updated_at=row.updated_at,
    )
