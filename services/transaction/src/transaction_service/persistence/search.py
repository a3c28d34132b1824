"""Looking for payments by whatever they say, in bounded time whatever is asked.

Each question is answered from one ordered index, the narrowest that serves it; what the index does not decide
is looked at row by row, at most `SCANNED` rows a page. A page that ends there goes on where it stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import Status
from transaction_service.domain.payment import IMMEDIATE, Kind
from transaction_service.persistence.payments import COLUMNS
from transaction_service.persistence.reading import PaymentView, view_from

# ruff: noqa: S608 - what is put into these statements are constants of this module; every value is a parameter

SCANNED = 10_000
# Ids bear the time at which they were made, `created_at` that of their commit's beginning: by this much the
# two may differ, as when the clock was set meanwhile.
_APART = timedelta(minutes=10)
_MIN_ID, _MAX_ID = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """What to look for; None does not narrow. Times: from inclusive, to exclusive. Amounts inclusive.

    `accounts` are on either side; of `metadata` all must be there.
    """

    client_id: str
    accounts: tuple[str, ...] | None = None
    debtor: str | None = None
    creditor: str | None = None
    status: Status | None = None
    currency: str | None = None
    reference: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    kind: Kind | None = None
    capture: str | None = None
    reverses: UUID | None = None
    captures: UUID | None = None
    amount_from_minor: int | None = None
    amount_to_minor: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page, newest first; it goes on with payments older than `rest_before`, None at the end."""

    views: list[PaymentView]
    rest_before: UUID | None


@dataclass(frozen=True, slots=True)
class _Source:
    """An index that gives ids in order: what it reads, the id's name there, and what it has decided."""

    tables: str
    id: str
    where: str
    decides: frozenset[str]


_CONDITIONS = {
    "debtor": "p.debtor = :debtor",
    "creditor": "p.creditor = :creditor",
    "accounts": "(p.debtor = ANY(CAST(:accounts AS text[])) OR p.creditor = ANY(CAST(:accounts AS text[])))",
    "status": "s.status = :status",
    "currency": "p.currency = :currency",
    "reference": "p.reference = :reference",
    "kind": "p.kind = :kind",
    "capture": "p.capture = :capture",
    "reverses": "p.reverses = :reverses",
    "captures": "p.captures = :captures",
    "amount_from_minor": "p.amount_minor >= :amount_from_minor",
    "amount_to_minor": "p.amount_minor <= :amount_to_minor",
    "created_from": "p.created_at >= :created_from",
    "created_to": "p.created_at < :created_to",
}


async def find(
    connection: AsyncConnection,
    wanted: PaymentFilter,
    *,
    before: UUID | None,
    limit: int,
    scanned: int = SCANNED,
) -> Found:
    """Return up to `limit` payments that fit, newest first, older than the payment `before`."""
    sources = _sources(wanted)
    residual = [name for name in _asked(wanted) if name not in sources[0].decides]
    parameters = _parameters(wanted, before=before)
    floor = None
    if residual:
        floor = await _floor(connection, sources, parameters | {"scanned": scanned - 1})
        parameters["floor"] = max(floor or _MIN_ID, parameters["floor"])
    parameters |= {"limit": limit + 1, "scan": scanned if residual else limit + 1}
    rows = await connection.execute(text(_page(sources, residual)), parameters)
    views = [view_from(row) for row in rows]
    if len(views) > limit:
        return Found(views[:limit], views[limit - 1].payment.id)
    return Found(views, floor)


def _sources(wanted: PaymentFilter) -> list[_Source]:
    """The narrowest index first; two for an account, which may stand on either side."""
    own = "p.client_id = :client_id AND "
    for name in ("captures", "reverses", "reference"):
        if getattr(wanted, name) is not None:
            return [_of_payments(own + _CONDITIONS[name], name)]
    if wanted.metadata:
        where = "m.client_id = :client_id AND m.key = :key_0 AND m.value = :value_0"
        return [_Source("payment_metadata m", "m.payment_id", where, frozenset({"metadata_0"}))]
    for name in ("debtor", "creditor"):
        if getattr(wanted, name) is not None:
            return [_of_payments(own + _CONDITIONS[name], name)]
    if wanted.accounts is not None:
        return [
            _of_payments(f"{own}p.{side} = :account_{i}", "accounts")
            for side in ("debtor", "creditor")
            for i in range(len(wanted.accounts))
        ]
    if wanted.kind not in (None, Kind.TRANSFER):
        return [_of_payments(f"{own}p.kind = :kind AND p.kind <> 'transfer'", "kind")]
    if wanted.capture not in (None, IMMEDIATE):
        return [_of_payments(f"{own}p.capture = 'manual'", "capture")]
    if wanted.status not in (None, Status.SETTLED):
        where = "s.client_id = :client_id AND s.status = :status AND s.status <> 'SETTLED'"
        return [_Source("payment_states s", "s.payment_id", where, frozenset({"status"}))]
    return [_of_payments("p.client_id = :client_id")]


def _of_payments(where: str, *decides: str) -> _Source:
    return _Source("payments p", "p.id", where, frozenset(decides))


def _asked(wanted: PaymentFilter) -> Iterator[str]:
    yield from (name for name in _CONDITIONS if getattr(wanted, name) is not None)
    yield from (f"metadata_{i}" for i in range(len(wanted.metadata)))


def _parameters(wanted: PaymentFilter, *, before: UUID | None) -> dict[str, Any]:
    parameters = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    for i, (key, value) in enumerate(wanted.metadata):
        parameters |= {f"key_{i}": key, f"value_{i}": value}
    if wanted.accounts is not None:
        parameters["accounts"] = list(wanted.accounts)
        parameters |= {f"account_{i}": account for i, account in enumerate(wanted.accounts)}
    oldest = _MIN_ID if wanted.created_from is None else _first_id(wanted.created_from - _APART)
    newest = _MAX_ID if wanted.created_to is None else _first_id(wanted.created_to + _APART)
    below = newest if before is None else min(before, newest)
    return parameters | {"client_id": wanted.client_id, "before": below, "floor": oldest}


def _first_id(moment: datetime) -> UUID:
    """The least UUIDv7 of this millisecond."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _scan(source: _Source, rest: str) -> str:
    return (
        f"(SELECT {source.id} AS id FROM {source.tables} WHERE {source.where} AND {source.id} < :before "
        f"AND {source.id} >= :floor ORDER BY {source.id} DESC {rest})"
    )


async def _floor(
    connection: AsyncConnection, sources: list[_Source], parameters: dict[str, Any]
) -> UUID | None:
    """The id down to which a page may look, so that no source is read further than its bound."""
    ends = " UNION ALL ".join(_scan(source, "OFFSET :scanned LIMIT 1") for source in sources)
    statement = text(f"SELECT id FROM ({ends}) AS ends ORDER BY id DESC LIMIT 1")
    floor: UUID | None = (await connection.execute(statement, parameters)).scalar_one_or_none()
    return floor


def _page(sources: list[_Source], residual: list[str]) -> str:
    scans = " UNION ALL ".join(_scan(source, "LIMIT :scan") for source in sources)
    conditions = [_CONDITIONS[name] for name in residual if name in _CONDITIONS]
    conditions += [_has_metadata(name.rpartition("_")[2]) for name in residual if name not in _CONDITIONS]
    where = " AND ".join(["p.client_id = :client_id", *conditions])
    # Between two accounts of one party a payment comes from both sides, and is told once.
    distinct = "DISTINCT " if len(sources) > 2 else ""
    # `OFFSET 0` keeps the planner from beginning elsewhere: each id that was scanned is looked up by itself,
    # whatever statistics say.
    return f"""
        SELECT {COLUMNS}, s.status, s.reason, s.reversed_minor
        FROM (SELECT {distinct}id FROM ({scans}) AS scanned ORDER BY id DESC) AS c
        CROSS JOIN LATERAL (SELECT * FROM payments WHERE payments.id = c.id OFFSET 0) AS p
        CROSS JOIN LATERAL (SELECT * FROM payment_states o WHERE o.payment_id = c.id OFFSET 0) AS s
        WHERE {where} ORDER BY c.id DESC LIMIT :limit
    """


def _has_metadata(i: str) -> str:
    return (
        "EXISTS (SELECT FROM payment_metadata m WHERE m.client_id = :client_id "
        f"AND m.key = :key_{i} AND m.value = :value_{i} AND m.payment_id = p.id)"
    )
