"""The directory of registered parties: which account a customer, or a handle of one, is paid on.

It holds what the account service has told, and nothing by which a person could be known: handles are keyed
hashes. Older word never overwrites newer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.party import PartyName

_NEWER = Statement(
    """
    INSERT INTO party_customers AS known (customer_id, client_id, version)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:clients AS text[]), CAST(:versions AS int[]))
    ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version
    WHERE known.version < excluded.version AND known.client_id = excluded.client_id
    RETURNING customer_id
    """
)
_FORGET_HANDLES = Statement("DELETE FROM party_handles WHERE customer_id = ANY(CAST(:ids AS uuid[]))")
_SAVE_HANDLES = Statement(
    """
    INSERT INTO party_handles (client_id, handle, customer_id)
    SELECT * FROM unnest(CAST(:clients AS text[]), CAST(:handles AS text[]), CAST(:ids AS uuid[]))
    """
)
_SAVE_ACCOUNTS = Statement(
    """
    INSERT INTO party_accounts AS known (client_id, customer_id, currency, account, opened_at)
    SELECT * FROM unnest(CAST(:clients AS text[]), CAST(:ids AS uuid[]), CAST(:currencies AS text[]),
                         CAST(:accounts AS text[]), CAST(:opened AS timestamptz[]))
    ON CONFLICT (client_id, customer_id, currency) DO UPDATE
    SET account = excluded.account, opened_at = excluded.opened_at
    WHERE known.opened_at < excluded.opened_at
    """
)
# One statement for every kind of name, which reads the same whether the name is known, another client's, or
# none. While a handle is on its way from one customer to another both may have it: then it is nobody's.
_RESOLVE = Statement(
    """
    SELECT place, min(account) FROM (
        SELECT n.place, a.customer_id, a.account
        FROM unnest(CAST(:places AS int[]), CAST(:handles AS text[]), CAST(:currencies AS text[]))
             AS n (place, handle, currency)
        JOIN party_handles h ON h.client_id = CAST(:client_id AS text) AND h.handle = n.handle
        JOIN party_accounts a ON a.client_id = h.client_id AND a.customer_id = h.customer_id
             AND a.currency = n.currency
        UNION ALL
        SELECT n.place, a.customer_id, a.account
        FROM unnest(CAST(:places AS int[]), CAST(:customers AS uuid[]), CAST(:currencies AS text[]))
             AS n (place, customer_id, currency)
        JOIN party_accounts a ON a.client_id = CAST(:client_id AS text) AND a.customer_id = n.customer_id
             AND a.currency = n.currency
    ) AS found GROUP BY place HAVING count(DISTINCT customer_id) = 1
    """
)
_ACCOUNTS = text("SELECT account FROM party_accounts WHERE client_id = :client_id AND customer_id = :id")


@dataclass(frozen=True, slots=True)
class Registration:
    """A customer's handles, all of them, as of a version."""

    client_id: str
    customer_id: UUID
    handles: Sequence[str]
    version: int


@dataclass(frozen=True, slots=True)
class PartyAccount:
    """A customer's account of one currency."""

    client_id: str
    customer_id: UUID
    currency: str
    account: str
    opened_at: datetime


async def save_registrations(connection: AsyncConnection, registrations: Sequence[Registration]) -> None:
    """Replace the handles of those customers of whom this is newer word."""
    newest: dict[UUID, Registration] = {}
    # In id order: two batches with customers in common would deadlock otherwise.
    for one in sorted(registrations, key=lambda one: (one.customer_id, one.version)):
        newest[one.customer_id] = one
    told = list(newest.values())
    columns = {
        "ids": [one.customer_id for one in told],
        "clients": [one.client_id for one in told],
        "versions": [one.version for one in told],
    }
    newer = [newest[row[0]] for row in await _NEWER.rows(connection, columns)]
    if not newer:
        return
    await _FORGET_HANDLES.run(connection, {"ids": [one.customer_id for one in newer]})
    rows = [
        (one.client_id, handle, one.customer_id) for one in newer for handle in dict.fromkeys(one.handles)
    ]
    if rows:
        clients, handles, ids = map(list, zip(*rows, strict=True))
        await _SAVE_HANDLES.run(connection, {"clients": clients, "handles": handles, "ids": ids})


async def save_accounts(connection: AsyncConnection, accounts: Sequence[PartyAccount]) -> None:
    """Record accounts; of two of one customer and currency the one that was opened last is paid on."""
    latest: dict[tuple[str, UUID, str], PartyAccount] = {}
    for one in sorted(accounts, key=lambda one: one.opened_at):
        latest[one.client_id, one.customer_id, one.currency] = one
    told = [latest[key] for key in sorted(latest)]
    columns = {
        "clients": [one.client_id for one in told],
        "ids": [one.customer_id for one in told],
        "currencies": [one.currency for one in told],
        "accounts": [one.account for one in told],
        "opened": [one.opened_at for one in told],
    }
    await _SAVE_ACCOUNTS.run(connection, columns)


async def resolve(
    connection: AsyncConnection, *, client_id: str, names: Sequence[tuple[PartyName, str]]
) -> Mapping[int, str]:
    """Return the account of each (name, currency) that has one, by its place in `names`."""
    columns = {
        "client_id": client_id,
        "places": list(range(len(names))),
        "handles": [name.value if name.by == "handle" else None for name, _ in names],
        "customers": [UUID(name.value) if name.by == "customer_id" else None for name, _ in names],
        "currencies": [currency for _, currency in names],
    }
    return {row[0]: row[1] for row in await _RESOLVE.rows(connection, columns)}


async def accounts_of(connection: AsyncConnection, *, client_id: str, customer_id: UUID) -> tuple[str, ...]:
    """Return the accounts of a client's customer; none for one that is unknown."""
    rows = await connection.execute(_ACCOUNTS, {"client_id": client_id, "id": customer_id})
    return tuple(rows.scalars())
