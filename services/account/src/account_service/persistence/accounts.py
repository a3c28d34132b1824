"""Accounts: load them, under lock or not, insert them once, and write what a decision changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.statement import Statement
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account, AccountKind, AccountRecord, AccountState
from account_service.domain.decision import AccountKey
from account_service.persistence.holders import HOLDER_COLUMNS, HOLDER_JOINS, read_holder

# Constants, so that no statement below is built from anything a caller says (S608).
_LEDGER_COLUMNS = """a.id, a.client_id, a.reference, a.currency, a.kind, a.state, a.posted_minor,
    a.held_minor, a.overdraft_minor, a.version"""
_LEDGER_WIDTH = 11  # with whether it is limited
_COLUMNS = f"{_LEDGER_COLUMNS}, a.limited, {HOLDER_COLUMNS}, a.opened_at, a.updated_at"
# Limited is whose usage is kept (as it is under the lock), and whose client has set limits for many accounts
# (looked up once per statement, as it was when that began).
_IS_LIMITED = """a.limited OR a.client_id || ' ' || a.currency = ANY (ARRAY(
        SELECT l.client_id || ' ' || l.currency FROM limit_sets l
        WHERE l.client_id = ANY (CAST(:clients AS text[])) AND l.scope <> 'account' AND NOT l.is_empty))"""

_WANTED = """FROM accounts a
    JOIN unnest(CAST(:client_ids AS text[]), CAST(:references AS text[])) AS wanted (client_id, reference)
      ON a.client_id = wanted.client_id AND a.reference = wanted.reference"""

# In id order: two opposite transfers would deadlock. A statement of its own, before any read that decides,
# so that whatever is read next is what the last holder of the locks left.
_LOCK = Statement(f"SELECT {_LEDGER_COLUMNS}, {_IS_LIMITED} {_WANTED} ORDER BY a.id FOR UPDATE OF a")
# As it stands in this snapshot, for whoever decides nothing that is written.
_LOOK = Statement(f"SELECT {_LEDGER_COLUMNS}, {_IS_LIMITED} {_WANTED}")
# For whoever can come back later: what others hold is left out, and waited for by nobody.
_LOCK_FREE = Statement(
    f"SELECT {_LEDGER_COLUMNS}, {_IS_LIMITED} {_WANTED} ORDER BY a.id FOR UPDATE OF a SKIP LOCKED"
)
_LOAD = text(
    f"SELECT {_COLUMNS} FROM accounts a {HOLDER_JOINS} "  # noqa: S608
    "WHERE a.client_id = :client_id AND a.reference = :reference"
)
_PRESENT = text(f"SELECT a.client_id, a.reference {_WANTED}")
# What an account opened with is its first entry's amount, if that entry is its opening balance, and the
# overdraft that it had before the first change.
_LOAD_WITH_OPENING = text(
    f"""
    SELECT {_COLUMNS}, coalesce(p.opening_balance_minor, 0) AS opening_balance_minor,
        coalesce((SELECT o.previous_minor FROM account_overdraft_changes o WHERE o.account_id = a.id
                  ORDER BY o.id LIMIT 1), a.overdraft_minor) AS opening_overdraft_minor
    {_WANTED} {HOLDER_JOINS}
    LEFT JOIN LATERAL (
        SELECT e.amount_minor AS opening_balance_minor FROM entries e JOIN postings p ON p.id = e.posting_id
        WHERE e.account_id = a.id AND e.entry_number = 1 AND p.kind = 'opening_balance') AS p ON true
    """  # noqa: S608
)
# In reference order: two batches that open the same accounts in another order would wait for each other.
_INSERT = text(
    """
    INSERT INTO accounts (client_id, reference, holder, currency, kind, state, overdraft_minor, opened_at,
        updated_at)
    SELECT n.client_id, n.reference, n.holder, n.currency, n.kind, 'ACTIVE', n.overdraft_minor, :at, :at
    FROM unnest(CAST(:client_ids AS text[]), CAST(:references AS text[]), CAST(:holders AS text[]),
        CAST(:currencies AS text[]), CAST(:kinds AS text[]), CAST(:overdrafts AS bigint[]))
        AS n (client_id, reference, holder, currency, kind, overdraft_minor)
    ORDER BY n.client_id, n.reference
    ON CONFLICT (client_id, reference) DO NOTHING
    RETURNING id, client_id, reference
    """
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM accounts a {HOLDER_JOINS}
    WHERE a.client_id = :client_id AND a.id > :after AND a.kind = :kind
      AND (CAST(:state AS text) IS NULL OR a.state = :state)
      AND (CAST(:currency AS text) IS NULL OR a.currency = :currency)
    ORDER BY a.id LIMIT :limit
    """  # noqa: S608
)
_LIST_SYSTEM = text(
    f"""
    SELECT {_COLUMNS} FROM accounts a {HOLDER_JOINS}
    WHERE a.client_id = :client_id AND a.reference > :after AND a.reference < :below
      AND (CAST(:currency AS text) IS NULL OR a.currency = :currency)
    ORDER BY a.reference LIMIT :limit
    """  # noqa: S608
)
_SAVE_STATE = text("UPDATE accounts SET state = :state, updated_at = :at WHERE id = :id")
_SAVE_OVERDRAFT = text(
    "UPDATE accounts SET overdraft_minor = :overdraft_minor, updated_at = :at WHERE id = :id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account that is to exist; `overdraft_minor` None is unlimited (system accounts).

    `holder` is what the books call an account of their own; a person's name is never given here.
    """

    client_id: str
    reference: str
    holder: str | None
    currency: str
    kind: AccountKind
    overdraft_minor: int | None


@dataclass(frozen=True, slots=True)
class OpenedAccount:
    """An account, and the balance and the overdraft that it opened with."""

    record: AccountRecord
    opening_balance_minor: int
    opening_overdraft_minor: int


async def lock_accounts(connection: AsyncConnection, keys: Iterable[AccountKey]) -> list[Account]:
    """Lock the accounts that exist among the keys until the transaction ends, in id order."""
    rows = await _LOCK.rows(connection, _wanted_to_lock(keys))
    return [_account(row) for row in rows]


async def look_at_accounts(connection: AsyncConnection, keys: Iterable[AccountKey]) -> list[Account]:
    """The accounts that exist among the keys, as they stand in the transaction's snapshot."""
    return [_account(row) for row in await _LOOK.rows(connection, _wanted_to_lock(keys))]


async def lock_free_accounts(connection: AsyncConnection, keys: Iterable[AccountKey]) -> list[Account]:
    """Like `lock_accounts`, but without those that another transaction holds."""
    rows = await _LOCK_FREE.rows(connection, _wanted_to_lock(keys))
    return [_account(row) for row in rows]


async def load_account(connection: AsyncConnection, client_id: str, reference: str) -> AccountRecord | None:
    """The client's account of that reference, if there is one."""
    result = await connection.execute(_LOAD, {"client_id": client_id, "reference": reference})
    row = result.one_or_none()
    return None if row is None else _record(row)


async def present(connection: AsyncConnection, keys: Iterable[AccountKey]) -> set[AccountKey]:
    """Those of the keys under which there is an account."""
    rows = await connection.execute(_PRESENT, _wanted(keys))
    return {(row.client_id, row.reference) for row in rows}


async def load_opened(
    connection: AsyncConnection, keys: Iterable[AccountKey]
) -> dict[AccountKey, OpenedAccount]:
    """The accounts that exist among the keys, each with what it opened with."""
    rows = await connection.execute(_LOAD_WITH_OPENING, _wanted(keys))
    return {
        (row.client_id, row.reference): OpenedAccount(
            _record(row), row.opening_balance_minor, row.opening_overdraft_minor
        )
        for row in rows
    }


async def insert_accounts(
    connection: AsyncConnection, accounts: Sequence[NewAccount], *, at: datetime
) -> dict[AccountKey, int]:
    """Insert those whose reference is free, waiting for any other transaction that is opening the same.

    Returns the ids of the inserted ones; what is missing from the answer exists already.
    """
    parameters = {
        "client_ids": [account.client_id for account in accounts],
        "references": [account.reference for account in accounts],
        "holders": [account.holder for account in accounts],
        "currencies": [account.currency for account in accounts],
        "kinds": [account.kind.value for account in accounts],
        "overdrafts": [account.overdraft_minor for account in accounts],
        "at": at,
    }
    rows = await connection.execute(_INSERT, parameters)
    return {(row.client_id, row.reference): row.id for row in rows}


async def list_accounts(
    connection: AsyncConnection,
    client_id: str,
    *,
    after: int,
    limit: int,
    kind: AccountKind,
    state: AccountState | None,
    currency: str | None,
) -> list[AccountRecord]:
    """The client's accounts of that kind with an id above `after`, in the order in which they were opened."""
    rows = await connection.execute(
        _LIST,
        {
            "client_id": client_id,
            "after": after,
            "limit": limit,
            "kind": kind.value,
            "state": None if state is None else state.value,
            "currency": currency,
        },
    )
    return [_record(row) for row in rows]


async def list_system_accounts(
    connection: AsyncConnection, client_id: str, *, prefix: str, after: str, limit: int, currency: str | None
) -> list[AccountRecord]:
    """The client's accounts whose reference begins with `prefix` and comes after `after`, by reference."""
    parameters = {
        "client_id": client_id,
        "after": max(prefix, after),
        # References are ASCII below "~": this is past every one that begins with the prefix.
        "below": f"{prefix}~",
        "currency": currency,
        "limit": limit,
    }
    rows = await connection.execute(_LIST_SYSTEM, parameters)
    return [_record(row) for row in rows]


async def save_state(connection: AsyncConnection, account: Account, *, at: datetime) -> None:
    """Write the state of an account that this transaction holds locked."""
    parameters = {"id": account.id, "state": account.state.value, "at": at}
    result = await connection.execute(_SAVE_STATE, parameters)
    assert result.rowcount == 1, "a locked account cannot be gone"


async def save_overdraft(connection: AsyncConnection, account: Account, *, at: datetime) -> None:
    """Write the overdraft of an account that this transaction holds locked."""
    parameters = {"id": account.id, "overdraft_minor": account.overdraft_minor, "at": at}
    result = await connection.execute(_SAVE_OVERDRAFT, parameters)
    assert result.rowcount == 1, "a locked account cannot be gone"


def _wanted(keys: Iterable[AccountKey]) -> dict[str, Any]:
    distinct = sorted(set(keys))
    return {"client_ids": [key[0] for key in distinct], "references": [key[1] for key in distinct]}


def _wanted_to_lock(keys: Iterable[AccountKey]) -> dict[str, Any]:
    wanted = _wanted(keys)
    return wanted | {"clients": list(set(wanted["client_ids"]))}


def _account(row: Sequence[Any]) -> Account:
    # By position, in the order of the columns, which is that of the fields: by name costs twice as much.
    id_, client_id, reference, currency, kind, state, *figures = row[:_LEDGER_WIDTH]
    return Account(id_, client_id, reference, currency, _KINDS[kind], _STATES[state], *figures)


def _record(row: Row[Any]) -> AccountRecord:
    return AccountRecord(_account(row), read_holder(row), row.opened_at, row.updated_at)


# Looked up, not called: the enum's constructor is the dearest part of reading a batch.
_KINDS = {kind.value: kind for kind in AccountKind}
_STATES = {state.value: state for state in AccountState}
