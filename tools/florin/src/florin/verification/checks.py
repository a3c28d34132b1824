"""What a check is: one small question to one snapshot of all schemas, answered with the first offender."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg
from service_kit.audit.chain import Head

# By the section "What must always hold".
INVARIANTS: Mapping[int, str] = {
    1: "Entries sum to zero, per currency and per posting",
    2: "Balances are the sums of their entries, and no balance passes its limit",
    3: "Every payment reaches one end, which is what the client was told",
    4: "What was refused has moved nothing",
    5: "At most one payment per client and idempotency key",
    6: "Nothing is lost and nothing is doubled",
    7: "After quiet, outboxes and queues are empty",
    8: "Every hash and chain recomputes from content",
    9: "Append-only tables cannot change",
    10: "No personal data and no secret in messages and logs",
}

Snapshot: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Audit:
    """What checks look at. `snapshot` is a transaction that sees one instant.

    `depths` are the frames in each queue, None if the broker was not asked; `quiet` whether outboxes and
    queues were empty just before; `heads` are where audit chains ended earlier, as was kept elsewhere;
    `log_files` and `secrets` are for the search for one in the other.
    """

    snapshot: Snapshot
    depths: Mapping[str, int] | None = None
    quiet: bool = True
    heads: Mapping[str, Head] = field(default_factory=dict)
    log_files: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` None: cannot be checked here and now, and `note` says why."""

    ok: bool | None
    checked: int
    offender: str | None = None
    note: str | None = None


Look = Callable[[Audit], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question. The name states what holds when all is well."""

    invariant: int
    name: str
    look: Look


def found(checked: int, offender: str | None, *, note: str | None = None) -> Finding:
    """All is well unless there is an offender."""
    return Finding(offender is None, checked, offender, note)


def query(invariant: int, name: str, *, count: str, offender: str) -> Check:
    """A check in SQL: `count` gives how many rows are looked at, `offender` the words for the first bad one
    (no row when all is well)."""

    async def look(audit: Audit) -> Finding:
        first = await audit.snapshot.fetchval(offender)
        return found(await audit.snapshot.fetchval(count), first)

    return Check(invariant, name, look)
