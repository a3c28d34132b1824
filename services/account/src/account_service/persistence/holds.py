"""Holds: those that requests name, those that are due. They are written with the postings (`postings.py`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from messaging.statement import Statement
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.decision import AccountKey
from account_service.domain.hold import Hold, HoldEnd, HoldState, HoldTerms
from account_service.persistence.terms import read_conditions

_SELECT = """
    SELECT h.payment_id, h.client_id, a.reference, h.creditor, h.account_id, h.amount_minor, h.currency,
           h.expires_at, h.captured_many_times, h.tolerance_minor, h.placed_at, h.captured_minor,
           h.state, h.reason, h.author, h.ended_at, CAST(h.conditions AS text)
    FROM holds h JOIN accounts a ON a.id = h.account_id
"""
_LOAD = Statement(f"{_SELECT} WHERE h.payment_id = ANY(CAST(:payment_ids AS uuid[]))")
# By payment id, whose first bits are its time.
_LIST = Statement(
    f"""{_SELECT} WHERE h.account_id = CAST(:account_id AS bigint) AND h.payment_id < CAST(:before AS uuid)
        AND (CAST(:state AS text) IS NULL OR h.state = CAST(:state AS text))
    ORDER BY h.payment_id DESC LIMIT CAST(:limit AS bigint)"""
)
LAST_PAYMENT = UUID(int=2**128 - 1)
_ACCOUNTS = Statement(
    """
    SELECT DISTINCT a.client_id, a.reference FROM holds h JOIN accounts a ON a.id = h.account_id
    WHERE h.payment_id = ANY(CAST(:payment_ids AS uuid[]))
    """
)
_DUE = Statement(
    """
    SELECT h.payment_id, h.client_id, a.reference, h.expires_at
    FROM (SELECT payment_id, client_id, account_id, expires_at FROM holds
          WHERE ended_at IS NULL AND expires_at <= CAST(:at AS timestamptz)
          ORDER BY expires_at LIMIT CAST(:limit AS bigint)) h
    JOIN accounts a ON a.id = h.account_id
    """
)
_ANY_OPEN = Statement(
    "SELECT 1 FROM holds WHERE account_id = CAST(:account_id AS bigint) AND state = 'OPEN' LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class DueHold:
    """A hold whose time is over and that nobody has ended yet."""

    payment_id: UUID
    debtor: AccountKey
    expires_at: datetime


async def load_holds(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> list[Hold]:
    """Those of the holds that exist, as they stand; their accounts must be locked to decide on them."""
    rows = await _LOAD.rows(connection, {"payment_ids": list(payment_ids)})
    return [_hold(row) for row in rows]


async def load_held_accounts(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> set[AccountKey]:
    """The accounts whose money the holds hold, which never change."""
    rows = await _ACCOUNTS.rows(connection, {"payment_ids": list(payment_ids)})
    return {(row[0], row[1]) for row in rows}


async def load_due_holds(connection: AsyncConnection, *, at: datetime, limit: int) -> list[DueHold]:
    """Open holds that have expired by then, the longest overdue first. Nothing is locked."""
    rows = await _DUE.rows(connection, {"at": at, "limit": limit})
    return [DueHold(row[0], (row[1], row[2]), row[3]) for row in rows]


async def list_holds(
    connection: AsyncConnection, account_id: int, *, before: UUID, state: HoldState | None, limit: int
) -> list[Hold]:
    """At most `limit` holds of the account's money for payments with an id below `before`, downwards."""
    parameters = {
        "account_id": account_id,
        "before": before,
        "state": None if state is None else state.value,
        "limit": limit,
    }
    return [_hold(row) for row in await _LIST.rows(connection, parameters)]


async def has_open_holds(connection: AsyncConnection, account_id: int) -> bool:
    """Whether a hold of the account's money has not ended."""
    return bool(await _ANY_OPEN.rows(connection, {"account_id": account_id}))


def _hold(row: Sequence[Any]) -> Hold:
    *facts, expires_at, many_times, tolerance_minor = row[:10]
    placed_at, captured_minor, state, reason, author, ended_at, conditions = row[10:]
    payment_id, client_id, debtor, creditor, account_id, amount_minor, currency = facts
    return Hold(
        payment_id,
        client_id,
        debtor,
        creditor,
        account_id,
        amount_minor,
        currency,
        HoldTerms(expires_at=expires_at, captured_many_times=many_times, tolerance_minor=tolerance_minor),
        placed_at,
        captured_minor,
        None if ended_at is None else HoldEnd(HoldState(state), reason, author, ended_at),
        None if conditions is None else read_conditions(orjson.loads(conditions)),
    )
