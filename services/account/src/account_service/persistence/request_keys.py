"""The idempotency keys of requests that changed something, with what each was asked and answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Held until the transaction ends: a concurrent duplicate waits here (no longer than the role's lock timeout)
# and then finds the answer. Two keys of one hash would merely wait for each other.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:client_id || chr(10) || :key, 0))")
_LOAD = text(
    """
    SELECT operation, field_digests, answer FROM idempotency_keys
    WHERE client_id = :client_id AND idempotency_key = :key
    """
)
_SAVE = text(
    """
    INSERT INTO idempotency_keys (client_id, idempotency_key, operation, field_digests, answer, recorded_at)
    VALUES (:client_id, :key, :operation, CAST(:field_digests AS jsonb), CAST(:answer AS jsonb), :at)
    """
)


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """What a key was used for: the operation, a digest of each field, and what is needed to answer again."""

    operation: str
    field_digests: Mapping[str, str]
    answer: Mapping[str, Any]


async def take_turn(connection: AsyncConnection, *, client_id: str, key: str) -> None:
    """Wait until no other transaction works under this key."""
    await connection.execute(_TAKE_TURN, {"client_id": client_id, "key": key})


async def load_answered(connection: AsyncConnection, *, client_id: str, key: str) -> AnsweredRequest | None:
    """What the key was used for before, if it was."""
    row = (await connection.execute(_LOAD, {"client_id": client_id, "key": key})).one_or_none()
    return None if row is None else AnsweredRequest(row.operation, row.field_digests, row.answer)


async def save_answered(
    connection: AsyncConnection, request: AnsweredRequest, *, client_id: str, key: str, at: datetime
) -> None:
    """Remember the answer under the key, for ever."""
    parameters = {
        "client_id": client_id,
        "key": key,
        "operation": request.operation,
        "field_digests": orjson.dumps(request.field_digests).decode(),
        "answer": orjson.dumps(request.answer).decode(),
        "at": at,
    }
    await connection.execute(_SAVE, parameters)
