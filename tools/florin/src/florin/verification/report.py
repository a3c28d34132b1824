"""All checks on one snapshot, and what they come to, invariant by invariant."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from messaging import topology
from messaging.broker import BROKER_ERRORS, open_channel
from messaging.failures import BrokerUnavailable, TopologyMissing
from service_kit.audit.chain import Head

from florin.credentials import Credentials
from florin.environment import Surroundings
from florin.provision import AUDITOR, connect
from florin.services import SERVICES
from florin.verification import (
    SETTLE_S,
    agreement,
    append_only,
    audit_log,
    customers,
    hashes,
    holds,
    ledger,
    lifecycle,
    limits,
    metadata,
    proposals,
    quiet,
    system_accounts,
)
from florin.verification.checks import INVARIANTS, Audit, Check, Finding, Snapshot

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *ledger.CHECKS,
            *system_accounts.CHECKS,
            *holds.CHECKS,
            *customers.CHECKS,
            *limits.CHECKS,
            *proposals.CHECKS,
            *lifecycle.CHECKS,
            *agreement.REFUSED,
            *agreement.ONCE,
            *agreement.AGREED,
            *quiet.CHECKS,
            *hashes.CHECKS,
            *audit_log.CHECKS,
            *append_only.CHECKS,
            *metadata.CHECKS,
        ),
        key=lambda check: check.invariant,
    )
)
_LOOK_EVERY_S = 0.2
_UNSENT = " UNION ALL ".join(
    f"SELECT EXISTS (SELECT FROM {schema}.outbox_unsent) AS waiting"  # noqa: S608
    for schema in SERVICES
)


@dataclass(frozen=True, slots=True)
class Result:
    """One check with its finding."""

    check: Check
    finding: Finding
    seconds: float


@dataclass(frozen=True)
class Report:
    """Everything that was checked."""

    results: Sequence[Result]

    @property
    def ok(self) -> bool:
        """Whether nothing was found to be wrong."""
        return all(result.finding.ok is not False for result in self.results)

    @property
    def checked(self) -> int:
        """How many rows were looked at, each as often as a check did."""
        return sum(result.finding.checked for result in self.results)

    def document(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return {"ok": self.ok, "invariants": [self._invariant(number) for number in INVARIANTS]}

    def status(self, number: int) -> str:
        """ok, failed or not checkable: the worst of an invariant's checks that could be made."""
        verdicts = [result.finding.ok for result in self.results if result.check.invariant == number]
        if False in verdicts:
            return "failed"
        return "ok" if True in verdicts else "not checkable"

    def _invariant(self, number: int) -> dict[str, Any]:
        results = [result for result in self.results if result.check.invariant == number]
        return {
            "number": number,
            "name": INVARIANTS[number],
            "status": self.status(number),
            "checked": sum(result.finding.checked for result in results),
            "first_offender": next((r.finding.offender for r in results if r.finding.ok is False), None),
            "checks": [
                {
                    "name": result.check.name,
                    "status": {True: "ok", False: "failed", None: "not checkable"}[result.finding.ok],
                    "checked": result.finding.checked,
                    "first_offender": result.finding.offender,
                    "note": result.finding.note,
                    "seconds": round(result.seconds, 3),
                }
                for result in results
            ],
        }


async def verify(
    surroundings: Surroundings,
    *,
    settle_s: float = SETTLE_S,
    heads: Mapping[str, Head] | None = None,
    begin: Callable[[Check], None] = lambda _check: None,
) -> Report:
    """Waits up to `settle_s` for quiet, then runs all checks on one snapshot, of audit chains against `heads`
    too, where they ended earlier; raises OSError or asyncpg's."""
    depths, is_quiet = await _settle(surroundings, settle_s)
    logs = sorted(str(path) for path in (surroundings.run_dir / "logs").glob("*.log*"))
    async with snapshot(surroundings.role_url(AUDITOR)) as connection:
        audit = Audit(
            connection,
            depths,
            is_quiet,
            heads=heads or {},
            log_files=tuple(logs),
            secrets=secrets_of(surroundings.credentials),
        )
        checks = (*CHECKS, audit_log.AGAINST_HEADS) if heads else CHECKS
        return await run(audit, checks, begin=begin)


async def run(
    audit: Audit, checks: Sequence[Check] = CHECKS, *, begin: Callable[[Check], None] = lambda _check: None
) -> Report:
    """The checks' findings, in their order."""
    results = []
    for check in checks:
        begin(check)
        began = time.monotonic()
        results.append(Result(check, await check.look(audit), time.monotonic() - began))
    return Report(results)


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """A connection on which every statement sees the same instant and none can write."""
    connection = await connect(url)
    try:
        # Whole tables are compared with whole tables, which fresh ones' statistics may not say: a plan of
        # nested loops would take minutes. And compiling these statements takes longer than running them.
        await connection.execute("SET enable_nestloop = off; SET jit = off; SET work_mem = '64MB'")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


def secrets_of(credentials: Credentials) -> Mapping[str, str]:
    """Everything that must stand in no log, by what it is."""
    return {
        "postgres": credentials.postgres,
        "broker": credentials.broker,
        "redis": credentials.redis,
        "api_key_pepper": credentials.api_key_pepper,
        "blind_index_key": credentials.blind_index_key,
        **{f"of role {role}": secret for role, secret in credentials.roles.items()},
        **{f"API key of {client}": key for client, key in credentials.api_keys.items()},
    }


async def _settle(surroundings: Surroundings, settle_s: float) -> tuple[dict[str, int] | None, bool]:
    """The depths of the queues once all is quiet, or when time is up; whether it was quiet."""
    deadline = time.monotonic() + settle_s
    connection: asyncpg.Connection[asyncpg.Record] = await connect(surroundings.role_url(AUDITOR))
    try:
        # Empty twice in a row: between two looks a frame in somebody's hands becomes an outbox row or ends.
        quiet_before = False
        while True:
            depths = await _depths(surroundings)
            busy = any(row["waiting"] for row in await connection.fetch(_UNSENT))
            is_quiet = not busy and (depths is None or not any(depths.values()))
            if (is_quiet and quiet_before) or time.monotonic() > deadline:
                return depths, is_quiet
            quiet_before = is_quiet
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        await connection.close()


async def _depths(surroundings: Surroundings) -> dict[str, int] | None:
    try:
        async with open_channel(surroundings.broker_url, name="florin-verify") as channel:
            return await topology.depths(channel, topology.Topology(surroundings.namespace))
    except (BrokerUnavailable, TopologyMissing, *BROKER_ERRORS):
        return None
