"""What every phase is given: a stack, its books, and a way to load it and see what came of that."""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from florin.clients import api_client
from florin.processes import Daemon
from florin.provision import connect, url_for
from florin.stack import Stack

from . import processes
from .generator import Seen
from .plan import ACCOUNTS, CURRENCY, Plan, account

ROOT = Path(__file__).resolve().parents[2]
OPENING_MINOR = 1_000_000_000_000
DRAIN_TIMEOUT_S = 120.0
POLL_S = 0.05
# Asked again and again beside the load: in the order of its index, so that one row is all that is read.
_UNSETTLED = """
    SELECT payment_id FROM transaction.payment_states WHERE status <> 'SETTLED'
    ORDER BY client_id, status, payment_id LIMIT 1
"""
_SETTLED = "SELECT count(*) FROM transaction.payment_states WHERE status = 'SETTLED'"


class NotSettled(Exception):
    """The load did not come to its end: what it measured means nothing."""


@dataclass(frozen=True)
class Measured:
    """One load and what came of it. `seconds` from the first request until the last payment was SETTLED;
    `drain_s` the part of that after the last answer; `here`: on the stack's own database."""

    name: str
    plan: Plan
    seen: Seen
    settled: int
    seconds: float
    drain_s: float
    cpu_s: Mapping[str, float]
    wal_bytes: int
    here: bool = True

    @property
    def tps(self) -> float:
        """Payments settled a second."""
        return round(self.settled / self.seconds, 1)

    @property
    def accepted_tps(self) -> float:
        """Payments accepted a second, while the load ran."""
        return round(self.settled / (self.seen.ended_at - self.seen.began_at), 1)

    @property
    def cpu_s_per_1000(self) -> dict[str, float]:
        """CPU seconds that each part used for 1,000 payments."""
        return {name: round(used / self.settled * 1000, 4) for name, used in self.cpu_s.items()}


@dataclass
class Bench:
    """A running stack under measurement."""

    stack: Stack
    database: "asyncpg.Connection[asyncpg.Record]"
    say: Callable[[str], None]
    here: bool = True
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    rss_mb: dict[str, float] = field(default_factory=dict)
    more: dict[str, Daemon] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def of(cls, stack: Stack, say: Callable[[str], None]) -> "Bench":
        """Opens the accounts that the load pays between."""
        surroundings = stack.surroundings
        url = url_for(surroundings.database_admin_url, database=surroundings.database)
        bench = cls(stack, await connect(url), say)
        await bench.open_accounts()
        return bench

    async def elsewhere(self, url: str) -> "Bench":
        """The same on another database, where the services run for a while; its figures come to this one."""
        return replace(self, database=await connect(url), here=False)

    async def services_up(self) -> None:
        """Starts whatever of the four services an earlier phase has stopped."""
        await asyncio.to_thread(self.stack.services.start_all)

    async def open_accounts(self) -> None:
        """The accounts of the load, each with more than it can ever pay."""
        items = [
            {
                "account": account(number),
                "holder": "Somebody",
                "currency": CURRENCY,
                "opening_balance_minor": OPENING_MINOR,
            }
            for number in range(ACCOUNTS)
        ]
        async with api_client(self.stack.surroundings, "account") as accounts:
            for begin in range(0, ACCOUNTS, 500):
                answer = await accounts.post(
                    "/v1/accounts/batches",
                    json={"accounts": items[begin : begin + 500]},
                    headers={"Idempotency-Key": f"bench-{self.run}-{begin}"},
                )
                answer.raise_for_status()

    def plan(self, name: str, *, bearer: str | None = None, **words: Any) -> Plan:
        """A plan for this stack; `name` marks the keys of its payments, `bearer` shows who pays."""
        surroundings = self.stack.surroundings
        return Plan(
            port=surroundings.ports.api("transaction"),
            bearer=bearer or surroundings.credentials.api_keys["demo"],
            name=f"bench-{self.run}-{len(self.measured):03}-{name}",
            seed=len(self.measured) + 1,
            **words,
        )

    async def measure(self, name: str, **words: Any) -> Measured:
        """Runs the load and waits until all its payments are settled."""
        plan = self.plan(name, **words)
        before = await self.database.fetchval(_SETTLED)
        wal_before = await self.wal_position()
        cpu_before = processes.cpu_s(self.pids())
        seen = await generate(plan)
        drained_at = await self.drained()
        cpu = processes.difference(processes.cpu_s(self.pids()), cpu_before)
        wal = await self.wal_position() - wal_before
        settled = await self.database.fetchval(_SETTLED) - before
        asked = seen.requests * plan.payments_a_request
        if settled != asked:
            raise NotSettled(f"{name}: {settled} of {asked} payments were settled; answers: {seen.codes}")
        measured = Measured(
            name=name,
            plan=plan,
            seen=seen,
            settled=settled,
            seconds=drained_at - seen.began_at,
            drain_s=max(0.0, drained_at - seen.ended_at),
            cpu_s={**cpu, "load": round(seen.cpu_s, 3)},
            wal_bytes=wal,
            here=self.here,
        )
        self.measured.append(measured)
        self.note_memory()
        return measured

    async def drained(self, *, timeout_s: float = DRAIN_TIMEOUT_S) -> float:
        """Returns the time at which no payment was seen to be on its way any more."""
        deadline = time.monotonic() + timeout_s
        while unsettled := await self.database.fetchval(_UNSETTLED):
            if time.monotonic() > deadline:
                raise NotSettled(f"payment {unsettled} is not settled after {timeout_s:.0f} s")
            await asyncio.sleep(POLL_S)
        return time.time()

    def pids(self) -> dict[str, int]:
        """Every part that runs."""
        return processes.parts(self.stack, self.more)

    def note_memory(self) -> None:
        """Keeps the highest figures."""
        self.rss_mb = processes.merge_peaks(self.rss_mb, processes.peak_rss_mb(self.pids()))

    async def wal_position(self) -> int:
        """Bytes of WAL written since the server was made."""
        return int(await self.database.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))

    async def close(self) -> None:
        """Ends what `of` opened."""
        await self.database.close()


async def generate(plan: Plan) -> Seen:
    """Runs the load in its own process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.load.generator"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate(json.dumps(asdict(plan)).encode() + b"\n")
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        raise NotSettled(f"the load {plan.name} ended with status {process.returncode}")
    seen = Seen(**json.loads(output))
    strange = {code: count for code, count in seen.codes.items() if code not in ("200", "202")}
    if strange:
        raise NotSettled(f"the load {plan.name} was answered {strange}")
    return seen
