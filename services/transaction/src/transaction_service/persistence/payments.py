"""Payments, their lifecycle events and where each stands.

`payments` and `payment_events` are append-only. `payment_states` is a projection of the events for queries
and locks; it also keeps how much of a payment reversals have taken, under a CHECK.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from messaging import notes
from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import RESTING, End, LifecycleEvent, Standing, Status
from transaction_service.domain.payment import Kind, Payment, PaymentOrder
from transaction_service.domain.terms import Terms

COLUMNS = """p.id, p.client_id, p.idempotency_key, p.kind, p.debtor, p.creditor, p.amount_minor, p.currency,
    p.reference, p.description, p.metadata, p.capture, p.reverses, p.captures, p.terms, p.created_at,
    p.hash"""
_WIDTH = 17
# Under which ends are noted, for those who wait for them.
_ENDS = "ends"

# One statement for record, first event and projection: a key that exists already yields nothing anywhere.
# `IS TRUE` changes no result: it makes Postgres look the ids up in a hash. As a join, with plans kept on
# indexes, it would compare each given row with each inserted one.
_INSERT = Statement(
    """
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:id AS uuid[]), CAST(:client_id AS text[]), CAST(:idempotency_key AS text[]),
            CAST(:kind AS text[]), CAST(:debtor AS text[]), CAST(:creditor AS text[]),
            CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]), CAST(:reference AS text[]),
            CAST(:description AS text[]), CAST(:metadata AS text[]), CAST(:capture AS text[]),
            CAST(:reverses AS uuid[]), CAST(:captures AS uuid[]), CAST(:terms AS text[]),
            CAST(:created_at AS timestamptz[]), CAST(:hash AS bytea[]), CAST(:event_hash AS bytea[])
        ) AS g (id, client_id, idempotency_key, kind, debtor, creditor, amount_minor, currency, reference,
                description, metadata, capture, reverses, captures, terms, created_at, hash, event_hash)
    ), inserted AS (
        INSERT INTO payments (id, client_id, idempotency_key, kind, debtor, creditor, amount_minor, currency,
                              reference, description, metadata, capture, reverses, captures, terms,
                              created_at, hash)
        SELECT id, client_id, idempotency_key, kind, debtor, creditor, amount_minor, currency, reference,
               description, metadata, capture, reverses, captures, terms, created_at, hash
        FROM given
        ON CONFLICT (client_id, idempotency_key) DO NOTHING
        RETURNING id
    ), events AS (
        INSERT INTO payment_events (payment_id, sequence, status, occurred_at, previous_hash, hash)
        SELECT id, 1, 'PENDING', created_at, hash, event_hash FROM given
        WHERE (id IN (SELECT id FROM inserted)) IS TRUE
    ), states AS (
        INSERT INTO payment_states
            (payment_id, client_id, amount_minor, status, sequence, last_hash, updated_at)
        SELECT id, client_id, amount_minor, 'PENDING', 1, event_hash, created_at FROM given
        WHERE (id IN (SELECT id FROM inserted)) IS TRUE
    )
    SELECT id FROM inserted
    """
)
_INSERT_METADATA = Statement(
    """
    INSERT INTO payment_metadata (client_id, key, value, payment_id)
    SELECT * FROM unnest(CAST(:clients AS text[]), CAST(:keys AS text[]), CAST(:values AS text[]),
                         CAST(:ids AS uuid[]))
    """
)
_BY_KEYS = text(
    f"""
    SELECT {COLUMNS} FROM unnest(CAST(:clients AS text[]), CAST(:keys AS text[])) AS k (client_id, key)
    JOIN payments p ON p.client_id = k.client_id AND p.idempotency_key = k.key
    """  # noqa: S608 - a constant list of columns
)
# In id order: two batches that share payments would deadlock otherwise.
_LOCK = Statement(
    f"""
    SELECT {COLUMNS}, s.status, s.sequence, s.last_hash
    FROM payment_states s JOIN payments p ON p.id = s.payment_id
    WHERE s.payment_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY s.payment_id FOR UPDATE OF s
    """  # noqa: S608
)
_INSERT_EVENTS = Statement(
    """
    INSERT INTO payment_events (payment_id, sequence, status, reason, occurred_at, previous_hash, hash)
    SELECT * FROM unnest(CAST(:payment_id AS uuid[]), CAST(:sequence AS int[]), CAST(:status AS text[]),
                         CAST(:reason AS text[]), CAST(:occurred_at AS timestamptz[]),
                         CAST(:previous_hash AS bytea[]), CAST(:hash AS bytea[]))
    """
)
_MOVE_STATES = Statement(
    """
    UPDATE payment_states s
    SET status = n.status, sequence = n.sequence, last_hash = n.hash, reason = n.reason,
        updated_at = n.occurred_at
    FROM unnest(CAST(:payment_id AS uuid[]), CAST(:sequence AS int[]), CAST(:status AS text[]),
                CAST(:reason AS text[]), CAST(:occurred_at AS timestamptz[]), CAST(:hash AS bytea[]))
         AS n (payment_id, sequence, status, reason, occurred_at, hash)
    WHERE s.payment_id = n.payment_id
    """
)
_LOCK_ORIGINAL = text(
    f"""
    SELECT {COLUMNS}, s.status, s.sequence, s.last_hash, s.reversed_minor
    FROM payment_states s JOIN payments p ON p.id = s.payment_id
    WHERE p.id = :id AND p.client_id = :client_id FOR UPDATE OF s
    """  # noqa: S608
)
_ADD_REVERSED = text(
    """
    UPDATE payment_states s SET reversed_minor = s.reversed_minor + n.amount_minor
    FROM (SELECT id, sum(amount_minor) AS amount_minor
          FROM unnest(CAST(:ids AS uuid[]), CAST(:amounts AS bigint[])) AS g (id, amount_minor)
          GROUP BY id) AS n
    WHERE s.payment_id = n.id
    """
)


async def save_new(
    connection: AsyncConnection, payments: Sequence[tuple[Payment, LifecycleEvent]]
) -> set[UUID]:
    """Insert payments with their first events; return the ids of those whose key was not taken.

    Give them in the order of (client, key), with no key twice: two callers with overlapping keys then wait
    for one another and cannot deadlock.
    """
    orders = [payment.order for payment, _ in payments]
    parameters: dict[str, list[Any]] = {
        "id": [payment.id for payment, _ in payments],
        "client_id": [order.client_id for order in orders],
        "idempotency_key": [order.idempotency_key for order in orders],
        "kind": [str(order.kind) for order in orders],
        "debtor": [order.debtor for order in orders],
        "creditor": [order.creditor for order in orders],
        "amount_minor": [order.amount_minor for order in orders],
        "currency": [order.currency for order in orders],
        "reference": [order.reference for order in orders],
        "description": [order.description for order in orders],
        "metadata": [_json(dict(order.metadata)) for order in orders],
        "capture": [order.capture for order in orders],
        "reverses": [order.reverses for order in orders],
        "captures": [order.captures for order in orders],
        "terms": [None if order.terms is None else _json(order.terms.form()) for order in orders],
        "created_at": [payment.created_at for payment, _ in payments],
        "hash": [payment.hash for payment, _ in payments],
        "event_hash": [event.hash for _, event in payments],
    }
    return {row[0] for row in await _INSERT.rows(connection, parameters)}


async def save_metadata(connection: AsyncConnection, payments: Iterable[Payment]) -> None:
    """Make new payments findable by what their metadata says."""
    entries = [
        (payment.order.client_id, key, value, payment.id)
        for payment in payments
        for key, value in payment.order.metadata.items()
    ]
    if entries:
        columns = zip(*entries, strict=True)
        names = ("clients", "keys", "values", "ids")
        await _INSERT_METADATA.run(connection, dict(zip(names, map(list, columns), strict=True)))


async def load_by_keys(
    connection: AsyncConnection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Payment]:
    """Return the payments that exist under these (client, idempotency key) pairs."""
    pairs = list(keys)
    rows = await connection.execute(
        _BY_KEYS, {"clients": [client for client, _ in pairs], "keys": [key for _, key in pairs]}
    )
    found = [payment_from(row) for row in rows]
    return {(payment.order.client_id, payment.order.idempotency_key): payment for payment in found}


async def lock(
    connection: AsyncConnection, payment_ids: Iterable[UUID]
) -> dict[UUID, tuple[Payment, Standing]]:
    """Lock where these payments stand, until the transaction ends; absent ids are left out."""
    rows = await _LOCK.rows(connection, {"ids": list(set(payment_ids))})
    return {row[0]: (payment_from(row), _standing(row[0], *row[_WIDTH:])) for row in rows}


async def save_moves(connection: AsyncConnection, events: Sequence[LifecycleEvent]) -> None:
    """Append lifecycle events, in order, and bring the projection to the last one of each payment."""
    if not events:
        return
    await _INSERT_EVENTS.run(connection, _columns(events))
    last = {event.payment_id: event for event in events}
    await _MOVE_STATES.run(connection, _columns(list(last.values())))
    ends = {event.payment_id: End(event.status, event.reason) for event in events if event.status in RESTING}
    notes.of(connection).setdefault(_ENDS, {}).update(ends)


def take_ends(connection: AsyncConnection) -> dict[UUID, End]:
    """Return, once, the last rest or end that each payment has come to in the transaction just committed."""
    ends: dict[UUID, End] = notes.of(connection).pop(_ENDS, {})
    return ends


async def lock_original(
    connection: AsyncConnection, payment_id: UUID, *, client_id: str
) -> tuple[Payment, Standing, int] | None:
    """Lock one payment of a client, with how much of it is reversed or about to be; None if absent."""
    row = (await connection.execute(_LOCK_ORIGINAL, {"id": payment_id, "client_id": client_id})).one_or_none()
    return (
        None if row is None else (payment_from(row), _standing(row[0], *row[_WIDTH:-1]), row.reversed_minor)
    )


async def add_reversed(connection: AsyncConnection, amounts: Sequence[tuple[UUID, int]]) -> None:
    """Add to what has been taken from each original (negative: give it back). The database bounds the sum."""
    if amounts:
        parameters = {"ids": [id_ for id_, _ in amounts], "amounts": [amount for _, amount in amounts]}
        await connection.execute(_ADD_REVERSED, parameters)


def payment_from(row: Sequence[Any]) -> Payment:
    """Build the payment from a row that begins with `COLUMNS`."""
    id_, client_id, key, kind, debtor, creditor, amount_minor, currency, *rest = row[:_WIDTH]
    reference, description, metadata, capture, reverses, captures, terms, created_at, hash_ = rest
    order = PaymentOrder(
        client_id=client_id,
        idempotency_key=key,
        debtor=debtor,
        creditor=creditor,
        amount_minor=amount_minor,
        currency=currency,
        reference=reference,
        description=description,
        metadata=orjson.loads(metadata),
        capture=capture,
        kind=Kind(kind),
        reverses=reverses,
        captures=captures,
        terms=None if terms is None else Terms.of_form(orjson.loads(terms)),
    )
    return Payment(id_, order, created_at, hash_)


def _json(form: dict[str, Any]) -> str:
    return orjson.dumps(form).decode()


def _standing(payment_id: UUID, status: str, sequence: int, last_hash: bytes) -> Standing:
    return Standing(payment_id, Status(status), sequence, last_hash)


def _columns(events: Sequence[LifecycleEvent]) -> dict[str, list[Any]]:
    return {
        "payment_id": [event.payment_id for event in events],
        "sequence": [event.sequence for event in events],
        "status": [str(event.status) for event in events],
        "reason": [event.reason for event in events],
        "occurred_at": [event.occurred_at for event in events],
        "previous_hash": [event.previous_hash for event in events],
        "hash": [event.hash for event in events],
    }
