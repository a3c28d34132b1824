"""Reading payments: one with its whole life, many by what they say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.statement import Statement
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import TERMINAL, LifecycleEvent, Status
from transaction_service.domain.payment import Payment
from transaction_service.persistence.payments import COLUMNS, payment_from

_TERMINAL = "', '".join(sorted(TERMINAL))
_ONE = text(
    f"""
    SELECT {COLUMNS}, s.status, s.reason, s.reversed_minor
    FROM payments p JOIN payment_states s ON s.payment_id = p.id
    WHERE p.id = :id AND p.client_id = :client_id
    """  # noqa: S608 - constant text only, as below
)
_EVENTS = text(
    """
    SELECT payment_id, sequence, status, reason, occurred_at, previous_hash, hash
    FROM payment_events WHERE payment_id = :id ORDER BY sequence
    """
)
_REVERSALS = text("SELECT id FROM payments WHERE reverses = :id ORDER BY id")
_FINAL = Statement(
    f"""
    SELECT payment_id FROM payment_states
    WHERE payment_id = ANY(CAST(:ids AS uuid[])) AND status IN ('{_TERMINAL}')
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment and where it stands now."""

    payment: Payment
    status: Status
    reason: str | None
    reversed_minor: int


@dataclass(frozen=True, slots=True)
class PaymentHistory:
    """A payment with every step of its life and the payments that reverse it."""

    view: PaymentView
    events: list[LifecycleEvent]
    reversals: list[UUID]


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """What to look for; None does not narrow. Times: from inclusive, to exclusive. Amounts inclusive."""

    client_id: str
    account: str | None = None
    status: Status | None = None
    currency: str | None = None
    reference: str | None = None
    amount_from_minor: int | None = None
    amount_to_minor: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


_CONDITIONS = {
    "status": "s.status = :status",
    "currency": "p.currency = :currency",
    "reference": "p.reference = :reference",
    "amount_from_minor": "p.amount_minor >= :amount_from_minor",
    "amount_to_minor": "p.amount_minor <= :amount_to_minor",
    "created_from": "p.created_at >= :created_from",
    "created_to": "p.created_at < :created_to",
}


async def load_view(connection: AsyncConnection, payment_id: UUID, *, client_id: str) -> PaymentView | None:
    """Return a client's payment and where it stands, or None."""
    row = (await connection.execute(_ONE, {"id": payment_id, "client_id": client_id})).one_or_none()
    return None if row is None else _view(row)


async def history(connection: AsyncConnection, payment_id: UUID, *, client_id: str) -> PaymentHistory | None:
    """Return a client's payment with its life, or None. Read in one snapshot by the caller's transaction."""
    view = await load_view(connection, payment_id, client_id=client_id)
    if view is None:
        return None
    events = [
        LifecycleEvent(
            e.payment_id, e.sequence, Status(e.status), e.reason, e.occurred_at, e.previous_hash, e.hash
        )
        for e in await connection.execute(_EVENTS, {"id": payment_id})
    ]
    reversals = list((await connection.execute(_REVERSALS, {"id": payment_id})).scalars())
    return PaymentHistory(view, events, reversals)


async def find(
    connection: AsyncConnection, wanted: PaymentFilter, *, before: UUID | None, limit: int
) -> list[PaymentView]:
    """Return up to `limit` payments that fit, newest first, older than the payment `before`."""
    parameters: dict[str, Any] = {"client_id": wanted.client_id, "limit": limit}
    conditions = ["p.client_id = :client_id"]
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    if wanted.status is not None:
        # Stated of both tables, so that the index of unsettled payments can serve.
        conditions.append("s.client_id = :client_id")
    if before is not None:
        conditions.append("p.id < :before")
        parameters["before"] = before
    where = " AND ".join(conditions)
    page = f"""
        SELECT {COLUMNS}, s.status, s.reason, s.reversed_minor
        FROM payments p JOIN payment_states s ON s.payment_id = p.id
        WHERE {where} {{party}} ORDER BY p.id DESC LIMIT :limit
    """  # noqa: S608 - conditions are constants of this module; every value is a parameter
    if wanted.account is None:
        statement = page.format(party="")
    else:
        parameters["account"] = wanted.account
        # One ordered index scan for each side instead of an OR, which would read the client's whole history.
        sides = [page.format(party=f"AND p.{side} = :account") for side in ("debtor", "creditor")]
        union = " UNION ALL ".join(f"({side})" for side in sides)
        statement = f"SELECT * FROM ({union}) AS found ORDER BY id DESC LIMIT :limit"  # noqa: S608
    return [_view(row) for row in await connection.execute(text(statement), parameters)]


async def final_among(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> Sequence[UUID]:
    """Return those of the payments that have reached their end."""
    return [row[0] for row in await _FINAL.rows(connection, {"ids": list(payment_ids)})]


def _view(row: Row[Any]) -> PaymentView:
    return PaymentView(payment_from(row), Status(row.status), row.reason, row.reversed_minor)
