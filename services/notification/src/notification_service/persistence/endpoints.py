"""Webhook endpoints and the append-only record of their changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.circuit import Circuit, CircuitState
from notification_service.domain.endpoint import DisabledReason, Endpoint, EndpointStatus

_COLUMNS = """id, client_id, url, description, event_types, status, status_reason, status_changed_at,
    failing_since, created_at, updated_at, circuit_state, circuit_failures, circuit_since, circuit_until,
    circuit_wanted"""

_LOCK_CLIENT = text("SELECT pg_advisory_xact_lock(hashtextextended('webhook-endpoints:' || :client_id, 0))")
_COUNT = text(
    """
    SELECT count(*) FILTER (WHERE status <> 'removed') AS standing, count(*) AS kept
    FROM webhook_endpoints WHERE client_id = :client_id
    """
)
_INSERT = text(
    f"""
    INSERT INTO webhook_endpoints ({_COLUMNS})
    VALUES (:id, :client_id, :url, :description, :event_types, :status, :status_reason, :status_changed_at,
            :failing_since, :created_at, :updated_at, :circuit_state, :circuit_failures, :circuit_since,
            :circuit_until, :circuit_wanted)
    """  # noqa: S608 - the columns are a constant above
)
_UPDATE = text(
    """
    UPDATE webhook_endpoints
    SET url = :url, description = :description, event_types = :event_types, status = :status,
        status_reason = :status_reason, status_changed_at = :status_changed_at,
        failing_since = :failing_since, updated_at = :updated_at, circuit_state = :circuit_state,
        circuit_failures = :circuit_failures, circuit_since = :circuit_since, circuit_until = :circuit_until,
        circuit_wanted = :circuit_wanted
    WHERE id = :id
    """
)
_INSERT_CHANGE = text(
    """
    INSERT INTO webhook_endpoint_changes (id, endpoint_id, change, reason, changed_by, changed_at)
    VALUES (:id, :endpoint_id, :change, :reason, :changed_by, :changed_at)
    """
)
_LOAD = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = :id AND client_id = :client_id"  # noqa: S608
_LOAD_ONE = text(_LOAD)
_LOAD_FOR_UPDATE = text(_LOAD + " FOR NO KEY UPDATE")
# In id order: two workers that record for the same endpoints would deadlock.
_LOAD_MANY_FOR_UPDATE = text(
    f"""
    SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = ANY(CAST(:ids AS uuid[]))
    ORDER BY id FOR NO KEY UPDATE
    """  # noqa: S608
)
_FIND_BY_URL = text(
    """
    SELECT id FROM webhook_endpoints
    WHERE client_id = :client_id AND md5(url) = md5(CAST(:url AS text)) AND status <> 'removed'
    """
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM webhook_endpoints
    WHERE client_id = :client_id AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
    ORDER BY id LIMIT :limit
    """  # noqa: S608
)
_LISTENING = text(
    """
    SELECT id, client_id, event_types, status FROM webhook_endpoints
    WHERE client_id = ANY(CAST(:client_ids AS text[])) AND status <> 'removed'
    """
)


async def lock_client(connection: AsyncConnection, client_id: str) -> None:
    """Let one registration of a client at a time count its endpoints."""
    await connection.execute(_LOCK_CLIENT, {"client_id": client_id})


async def count(connection: AsyncConnection, client_id: str) -> tuple[int, int]:
    """How many endpoints the client has that are not removed, and how many rows in all."""
    row = (await connection.execute(_COUNT, {"client_id": client_id})).one()
    return row.standing, row.kept


async def insert(connection: AsyncConnection, endpoint: Endpoint) -> None:
    await connection.execute(_INSERT, _parameters(endpoint))


async def save(connection: AsyncConnection, endpoint: Endpoint) -> None:
    await connection.execute(_UPDATE, _parameters(endpoint))


async def add_change(
    connection: AsyncConnection,
    *,
    change_id: UUID,
    endpoint_id: UUID,
    change: str,
    reason: str | None,
    changed_by: str,
    at: datetime,
) -> None:
    """Append to the record of who did what to an endpoint."""
    await connection.execute(
        _INSERT_CHANGE,
        {
            "id": change_id,
            "endpoint_id": endpoint_id,
            "change": change,
            "reason": reason,
            "changed_by": changed_by,
            "changed_at": at,
        },
    )


async def load(connection: AsyncConnection, endpoint_id: UUID, *, client_id: str) -> Endpoint | None:
    """The client's endpoint, or None: another client's is as absent."""
    return _one(await connection.execute(_LOAD_ONE, {"id": endpoint_id, "client_id": client_id}))


async def load_for_update(
    connection: AsyncConnection, endpoint_id: UUID, *, client_id: str
) -> Endpoint | None:
    return _one(await connection.execute(_LOAD_FOR_UPDATE, {"id": endpoint_id, "client_id": client_id}))


async def load_many_for_update(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Endpoint]:
    rows = await connection.execute(_LOAD_MANY_FOR_UPDATE, {"ids": list(ids)})
    return {row["id"]: _endpoint(row) for row in rows.mappings()}


async def find_by_url(connection: AsyncConnection, *, client_id: str, url: str) -> UUID | None:
    """The client's endpoint with exactly this URL that is not removed."""
    found: UUID | None = await connection.scalar(_FIND_BY_URL, {"client_id": client_id, "url": url})
    return found


async def list_page(
    connection: AsyncConnection, *, client_id: str, after: UUID | None, limit: int
) -> list[Endpoint]:
    """The client's endpoints in the order of their ids, after the given one."""
    rows = await connection.execute(_LIST, {"client_id": client_id, "after": after, "limit": limit})
    return [_endpoint(row) for row in rows.mappings()]


async def listening(
    connection: AsyncConnection, client_ids: Sequence[str]
) -> Mapping[str, Sequence[RowMapping]]:
    """For each of these clients that has endpoints: id, event_types and status of those not removed."""
    rows = await connection.execute(_LISTENING, {"client_ids": list(client_ids)})
    by_client: dict[str, list[RowMapping]] = {}
    for row in rows.mappings():
        by_client.setdefault(row["client_id"], []).append(row)
    return by_client


def _one(result: Any) -> Endpoint | None:
    row = result.mappings().one_or_none()
    return None if row is None else _endpoint(row)


def _parameters(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "client_id": endpoint.client_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": list(endpoint.event_types),
        "status": endpoint.status.value,
        "status_reason": endpoint.status_reason.value if endpoint.status_reason else None,
        "status_changed_at": endpoint.status_changed_at,
        "failing_since": endpoint.failing_since,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "circuit_state": endpoint.circuit.state.value,
        "circuit_failures": endpoint.circuit.failures,
        "circuit_since": endpoint.circuit.since,
        "circuit_until": endpoint.circuit.until,
        "circuit_wanted": endpoint.circuit.wanted,
    }


def _endpoint(row: RowMapping) -> Endpoint:
    fields = {name: value for name, value in row.items() if not name.startswith("circuit_")}
    fields["event_types"] = tuple(row["event_types"])
    fields["status"] = EndpointStatus(row["status"])
    fields["status_reason"] = DisabledReason(row["status_reason"]) if row["status_reason"] else None
    fields["circuit"] = Circuit(
        state=CircuitState(row["circuit_state"]),
        failures=row["circuit_failures"],
        since=row["circuit_since"],
        until=row["circuit_until"],
        wanted=row["circuit_wanted"],
    )
    return Endpoint(**fields)
