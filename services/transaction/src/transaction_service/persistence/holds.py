"""What happened to holds (their captures, voids and ends), and the figures of refusals. All append-only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import HoldEnd
from transaction_service.domain.lifecycle import UNSUCCESSFUL, Status

_UNSUCCESSFUL = "', '".join(sorted(UNSUCCESSFUL))
_CAPTURES = text(
    """
    SELECT p.id, p.amount_minor, s.status FROM payments p JOIN payment_states s ON s.payment_id = p.id
    WHERE p.captures = :id ORDER BY p.id
    """
)
_TAKEN = text(
    f"""
    SELECT coalesce(sum(p.amount_minor), 0) FROM payments p JOIN payment_states s ON s.payment_id = p.id
    WHERE p.captures = :id AND s.status NOT IN ('{_UNSUCCESSFUL}')
    """  # noqa: S608 - constant text only
)
_END = text(
    """
    SELECT payment_id, ended_as, captured_minor, released_minor, reason, author, ended_at
    FROM hold_ends WHERE payment_id = :id
    """
)
_SAVE_ENDS = Statement(
    """
    INSERT INTO hold_ends (payment_id, ended_as, captured_minor, released_minor, reason, author, ended_at)
    SELECT * FROM unnest(CAST(:payment_id AS uuid[]), CAST(:ended_as AS text[]),
                         CAST(:captured_minor AS bigint[]), CAST(:released_minor AS bigint[]),
                         CAST(:reason AS text[]), CAST(:author AS text[]), CAST(:ended_at AS timestamptz[]))
    """
)
_SAVE_REFUSALS = Statement(
    """
    INSERT INTO payment_refusals (payment_id, field, figures)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:fields AS text[]), CAST(:figures AS text[]))
    """
)
_REFUSAL = text("SELECT field, figures FROM payment_refusals WHERE payment_id = :id")
_SAVE_VOID = text(
    """
    INSERT INTO payment_voids (client_id, idempotency_key, payment_id, reason, author, requested_at)
    VALUES (:client_id, :idempotency_key, :payment_id, :reason, :author, :requested_at)
    ON CONFLICT (client_id, idempotency_key) DO NOTHING RETURNING 1
    """
)
_VOID = text(
    """
    SELECT client_id, idempotency_key, payment_id, reason, author, requested_at
    FROM payment_voids WHERE client_id = :client_id AND idempotency_key = :key
    """
)


@dataclass(frozen=True, slots=True)
class CaptureView:
    """One capture of an authorisation and where it stands."""

    id: UUID
    amount_minor: int
    status: Status


@dataclass(frozen=True, slots=True)
class HoldView:
    """What has become of a hold so far; `end` once it is over."""

    captures: list[CaptureView]
    end: HoldEnd | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the ledger's refusal of a payment turned on, beside its code."""

    payment_id: UUID
    field: str | None
    figures: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Void:
    """A client's wish to give up what is still held for a payment."""

    client_id: str
    idempotency_key: str
    payment_id: UUID
    reason: str
    author: str
    requested_at: datetime


async def taken_minor(connection: AsyncConnection, payment_id: UUID) -> int:
    """Return how much the captures of a payment have taken or may yet take."""
    return int((await connection.execute(_TAKEN, {"id": payment_id})).scalar_one())


async def view_hold(connection: AsyncConnection, payment_id: UUID) -> HoldView:
    """Return a payment's captures, in the order they were asked for, and its hold's end."""
    captures = [
        CaptureView(row.id, row.amount_minor, Status(row.status))
        for row in await connection.execute(_CAPTURES, {"id": payment_id})
    ]
    end = (await connection.execute(_END, {"id": payment_id})).one_or_none()
    return HoldView(captures, None if end is None else HoldEnd(*end))


async def save_ends(connection: AsyncConnection, ends: Sequence[HoldEnd]) -> None:
    """Record how holds ended; each ends once."""
    if ends:
        names = [field.name for field in fields(HoldEnd)]
        columns: dict[str, list[Any]] = {name: [getattr(end, name) for end in ends] for name in names}
        await _SAVE_ENDS.run(connection, columns)


async def save_refusals(connection: AsyncConnection, refusals: Sequence[Refusal]) -> None:
    """Keep what refusals turned on."""
    if refusals:
        columns = {
            "ids": [refusal.payment_id for refusal in refusals],
            "fields": [refusal.field for refusal in refusals],
            "figures": [orjson.dumps(dict(refusal.figures)).decode() for refusal in refusals],
        }
        await _SAVE_REFUSALS.run(connection, columns)


async def load_refusal(connection: AsyncConnection, payment_id: UUID) -> Refusal | None:
    """Return what the refusal of a payment turned on, if the ledger gave figures."""
    row = (await connection.execute(_REFUSAL, {"id": payment_id})).one_or_none()
    return None if row is None else Refusal(payment_id, row.field, orjson.loads(row.figures))


async def save_void(connection: AsyncConnection, void: Void) -> bool:
    """Record a void; False if its key is taken (a concurrent holder is waited for)."""
    parameters = {field.name: getattr(void, field.name) for field in fields(Void)}
    return (await connection.execute(_SAVE_VOID, parameters)).first() is not None


async def load_void(connection: AsyncConnection, *, client_id: str, key: str) -> Void | None:
    """Return the void that this key has asked for, or None."""
    row = (await connection.execute(_VOID, {"client_id": client_id, "key": key})).one_or_none()
    return None if row is None else Void(*row)
