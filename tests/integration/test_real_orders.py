"""A real bank's standing orders on a whole stack of its own: once in peace, once while everything is killed.

The data lies outside the project (FLORIN_REAL_ORDERS, a folder with accounts.csv and payments.csv); without
it these tests say so and are skipped.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from florin.services import SERVICES
from florin.stack import BASE_VARIABLE, RUN_DIR_VARIABLE, Stack
from testkit.backing import Backing
from testkit.stacks import own_stack
from testkit.waiting import eventually

ORDERS = Path(os.environ.get("FLORIN_REAL_ORDERS", Path(__file__).parents[3] / "shared" / "data" / "berka"))
PAYMENTS, PAYERS, CLEARING_TOTAL_MINOR = 6_471, 3_758, 212_289_936
# So many payments settle between two kills.
STEP = 50
TRICKLE = ("--chunk", "4", "--in-flight", "1")
KILLED = (*SERVICES, "rabbitmq", "postgres")

pytestmark = pytest.mark.skipif(
    not (ORDERS / "payments.csv").exists(),
    reason=f"the real orders are not here: set FLORIN_REAL_ORDERS to their folder (looked in {ORDERS})",
)


@dataclass
class Office:
    """A stack and its command line."""

    stack: Stack

    async def florin(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json; returns its summary."""
        process = await self.begin(*arguments)
        return await self.end(process)

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a command."""
        environment = {
            **os.environ,
            RUN_DIR_VARIABLE: str(self.stack.run_dir),
            BASE_VARIABLE: str(self.stack.ports.base),
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "florin", *arguments, "--json"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def end(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        """Wait for a command's end; returns its summary."""
        output, errors = await asyncio.wait_for(process.communicate(), 240)
        assert process.returncode == 0, f"{output.decode()}\n{errors.decode()}"
        summary: dict[str, Any] = json.loads(output)
        return summary

    async def settled(self) -> int:
        """How many payments have settled; -1 while the database is away."""
        try:
            async with self.database("transaction") as connection:
                query = "SELECT count(*) FROM payment_states WHERE status = 'SETTLED'"
                return int(await connection.fetchval(query))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return -1

    async def assert_the_books_are_right(self) -> None:
        """Every payer stands at zero, the clearing accounts hold the total, and all invariants hold."""
        async with self.database("account") as connection:
            clearing = await connection.fetchval(
                "SELECT sum(posted_minor) FROM accounts WHERE reference LIKE 'BANK-%'"
            )
            payers = await connection.fetch(
                "SELECT a.posted_minor FROM accounts a WHERE EXISTS (SELECT FROM entries e "
                "JOIN postings p ON p.id = e.posting_id WHERE e.account_id = a.id AND e.amount_minor < 0 "
                "AND p.kind = 'transfer')"
            )
            postings = await connection.fetchval("SELECT count(*) FROM postings WHERE kind = 'transfer'")
        assert clearing == CLEARING_TOTAL_MINOR
        assert len(payers) == PAYERS
        assert {row["posted_minor"] for row in payers} == {0}
        assert postings == PAYMENTS
        verdict = await self.florin("verify")
        assert verdict["ok"], verdict
        for service in SERVICES:
            async with self.database(service) as connection:
                assert await connection.fetchval("SELECT count(*) FROM parked") == 0
                assert await connection.fetchval("SELECT count(*) FROM quarantine") == 0

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection as the service's own role."""
        url = self.stack.surroundings.role_url(f"{service}_app")
        connection = await asyncpg.connect(url, timeout=5)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
def office(backing: Backing) -> Iterator[Office]:
    """A stack with a Postgres and a RabbitMQ of its own, new for each test."""
    with own_stack(backing) as stack:
        yield Office(stack)


async def test_all_orders_settle_once_and_the_books_are_right(office: Office) -> None:
    """6,471 settled; imported again, 6,471 replayed and nothing moved."""
    opened = await office.florin("import", "accounts", str(ORDERS / "accounts.csv"))
    assert (opened["accepted"], opened["errors"]) == (4_513, 0)
    first = await office.florin("import", "payments", str(ORDERS / "payments.csv"))
    print(f"settled {first['per_second']} payments a second")
    assert (first["settled"], first["rejected"], first["replayed"]) == (PAYMENTS, 0, 0)
    await office.assert_the_books_are_right()
    again = await office.florin("import", "payments", str(ORDERS / "payments.csv"))
    assert (again["accepted"], again["settled"], again["replayed"]) == (0, 0, PAYMENTS)
    await office.assert_the_books_are_right()


# What `make test` kills each time is in the fault walk and in the tests of imports.
@pytest.mark.slow
async def test_killing_every_part_once_changes_nothing_about_the_end(office: Office) -> None:
    """Each service's process, then the broker, then Postgres: SIGKILL and started again, in mid-import."""
    await office.florin("import", "accounts", str(ORDERS / "accounts.csv"))
    # Fed in small pieces, one at a time, so that there is always more to come when the next part dies.
    importing = await office.begin("import", "payments", str(ORDERS / "payments.csv"), *TRICKLE)
    try:
        await _kill_each_once(office)
        summary = await office.end(importing)
    finally:
        if importing.returncode is None:
            importing.kill()
            await importing.communicate()
    assert (summary["settled"], summary["rejected"], summary["unfinished"]) == (PAYMENTS, 0, 0)
    await office.assert_the_books_are_right()


async def _kill_each_once(office: Office) -> None:
    starting = []
    reached = 0
    for name in KILLED:
        reached = await eventually(partial(_settled_more_than, office, reached), timeout_s=90, every_s=0.01)
        assert reached < PAYMENTS, f"all had settled before {name} was killed: this test proves nothing"
        await asyncio.to_thread(office.stack.kill, name)
        # Not waited for: what is still up goes on working, and the next part dies while this one comes back.
        starting.append(asyncio.create_task(asyncio.to_thread(office.stack.start, name)))
        reached += STEP
    await asyncio.gather(*starting)


async def _settled_more_than(office: Office, count: int) -> int:
    """How many have settled, once they are more than that."""
    settled = await office.settled()
    return settled if settled > count else 0
