"""The continuous verifier finds what was altered, and takes no busy system for a broken one."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from florin.ports import HOST
from florin.provision import AUDITOR
from florin.verification.report import snapshot
from florin.watching import Unhandled, WatchMetrics, check_once, unsealed_ages_s
from service_kit.audit.chain import Head
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services
from testkit.waiting import eventually

# A posting's leg in the wrong amount: what the books themselves show.
TAMPER = (
    "UPDATE account.entries SET amount_minor = amount_minor {} 1 WHERE entry_number = 1 AND amount_minor > 0"
)

# The newest entry of a log and its seal, taken away for a while, as whoever owns the database can.
CUT_OFF = (
    "CREATE TABLE public.cut_entry AS SELECT * FROM account.audit_entries WHERE id = "
    "(SELECT entry_id FROM account.audit_seals ORDER BY position DESC LIMIT 1)",
    "CREATE TABLE public.cut_seal AS SELECT position, entry_id, hash, sealed_at FROM account.audit_seals "
    "WHERE entry_id = (SELECT id FROM public.cut_entry)",
    "DELETE FROM account.audit_seals WHERE entry_id = (SELECT id FROM public.cut_entry)",
    "DELETE FROM account.audit_entries WHERE id = (SELECT id FROM public.cut_entry)",
)
MEND = (
    "INSERT INTO account.audit_entries OVERRIDING SYSTEM VALUE SELECT * FROM public.cut_entry",
    "INSERT INTO account.audit_seals (position, entry_id, hash, sealed_at) SELECT * FROM public.cut_seal",
    "DROP TABLE public.cut_entry, public.cut_seal",
)
# What sealers of the account service take turns by.
AS_SEALER = "SELECT pg_advisory_xact_lock(hashtextextended('audit' || chr(10) || 'account', 0))"

AN_HOUR_LATER = "UPDATE transaction.outbox SET created_at = created_at - interval '1 hour'"


@pytest.fixture(scope="module")
def own(backing: Backing, databases: Databases) -> Iterator[RunningServices]:
    """Services of this module's own: it alters what they wrote."""
    with running_services(backing, databases) as started:
        yield started


@pytest.fixture(scope="module")
async def payers(own: RunningServices) -> AsyncIterator[list[str]]:
    names = [f"WATCH-{number}" for number in range(4)]
    for name in names:
        body = {"account": name, "holder": "S", "currency": "EUR", "opening_balance_minor": 10_000}
        answer = await own.client("account").post(
            "/v1/accounts", json=body, headers={"Idempotency-Key": name}
        )
        assert answer.status_code == 201, answer.text
    yield names
    await own.close_clients()


def auditor_of(own: RunningServices) -> str:
    return own.surroundings.role_url(AUDITOR)


async def pay(own: RunningServices, payers: list[str], *, wait_s: int = 0) -> httpx2.Response:
    body = {"debtor": payers[0], "creditor": payers[1], "amount_minor": 1, "currency": "EUR"}
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": f"wait={wait_s}"}
    return await own.client("transaction").post("/v1/payments", json=body, headers=headers)


async def test_a_busy_system_is_not_taken_for_a_broken_one(own: RunningServices, payers: list[str]) -> None:
    """Round after round while payments are on their way, nothing is said to be broken."""
    metrics = WatchMetrics()
    busy = True

    async def keep_busy() -> int:
        paid = 0
        while busy:
            await asyncio.gather(*(pay(own, payers) for _ in range(8)))
            paid += 8
        return paid

    paying = asyncio.create_task(keep_busy())
    try:
        assert [await check_once(auditor_of(own), metrics) for _ in range(3)] == [True] * 3
    finally:
        busy = False
        assert await paying > 8, "nothing was on its way: this test proves nothing"
    assert metrics.registry.get_sample_value("florin_watch_completed_timestamp_seconds", {}) is not None


async def test_an_altered_ledger_is_told_by_its_check_until_it_is_mended(
    own: RunningServices, payers: list[str]
) -> None:
    """The check's gauge is 1 while the offender stands, and 0 again afterwards."""
    assert (await pay(own, payers, wait_s=20)).json()["status"] == "SETTLED"
    metrics = WatchMetrics()
    await as_superuser(own, TAMPER.format("+"))
    try:
        assert not await check_once(auditor_of(own), metrics)
        assert {"1", "2"} & broken(metrics, "invariant")
    finally:
        await as_superuser(own, TAMPER.format("-"))
    assert await check_once(auditor_of(own), metrics)
    assert broken(metrics, "invariant") == set()


async def test_an_audit_log_whose_end_is_cut_off_is_told_by_the_round_that_follows(
    own: RunningServices, payers: list[str]
) -> None:
    """What is left is a whole chain: only who has seen it before can tell, until its end is back."""
    metrics, kept = WatchMetrics(), dict[str, Head]()
    lost = {"each audit chain holds the heads that were kept"}

    async def watched() -> bool:
        return await check_once(auditor_of(own), metrics, kept=kept)

    async def sealed() -> bool:
        async with snapshot(auditor_of(own)) as connection:
            return not await connection.fetchval("SELECT count(*) FROM account.audit_unsealed")

    await eventually(sealed)
    assert await watched()
    seen = dict(kept)
    assert seen["account"].position >= len(payers)
    await as_superuser(own, *CUT_OFF)
    try:
        assert [await watched() for _ in range(2)] == [False] * 2
        assert broken(metrics, "check") == lost
        assert kept == seen
    finally:
        await as_superuser(own, *MEND)
    assert await watched()
    assert broken(metrics, "check") == set()


async def test_entries_of_the_audit_log_that_nobody_seals_have_an_age(
    own: RunningServices, payers: list[str]
) -> None:
    """While the turn to seal is another's, those of the account service grow old, and nobody else's."""
    auditor, sealer = (
        await asyncpg.connect(auditor_of(own)),
        await asyncpg.connect(own.database("account").admin_url),
    )

    async def ages() -> dict[str, float]:
        return dict(await unsealed_ages_s(auditor))

    async def grown() -> bool:
        return (await ages())["account"] > 2

    async def all_sealed() -> bool:
        return not any((await ages()).values())

    try:
        async with sealer.transaction():
            await sealer.execute(AS_SEALER)
            body = {"account": "UNSEALED", "holder": "S", "currency": "EUR"}
            headers = {"Idempotency-Key": "UNSEALED"}
            await own.client("account").post("/v1/accounts", json=body, headers=headers)
            await eventually(grown, timeout_s=20)
            assert {name for name, age_s in (await ages()).items() if age_s > 2} == {"account"}
        await eventually(all_sealed, timeout_s=20)
    finally:
        await auditor.close()
        await sealer.close()


async def test_events_that_their_consumer_has_not_handled_have_an_age(
    own: RunningServices, payers: list[str]
) -> None:
    """With fraud stopped its events grow old, and nobody else's; started again, none is left."""
    unhandled = Unhandled()
    connection = await asyncpg.connect(auditor_of(own))

    async def ages() -> dict[str, float]:
        return dict(await unhandled.ages_s(connection))

    try:

        async def all_handled() -> bool:
            return not any((await ages()).values())

        await eventually(all_handled, timeout_s=20)
        own.services.stop("fraud")
        try:
            await pay(own, payers)

            async def grown() -> bool:
                return (await ages())["fraud"] > 2

            await eventually(grown, timeout_s=20)
            assert {name for name, age_s in (await ages()).items() if age_s} == {"fraud"}
            # Long past what is looked at again anyway, and others after it: it is not lost from sight.
            await as_superuser(own, AN_HOUR_LATER)
            await pay(own, payers)
            await as_superuser(own, AN_HOUR_LATER)
            assert [(await ages())["fraud"] > 7_200 for _ in range(3)] == [True] * 3
        finally:
            own.services.start("fraud")
        await eventually(all_handled, timeout_s=30)
    finally:
        await connection.close()


async def test_the_command_serves_what_it_finds_and_ends_when_it_is_told_to(own: RunningServices) -> None:
    """As it runs in a container: told everything by its environment."""
    port = own.surroundings.ports.watch
    process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time
        [sys.executable, "-m", "florin", "watch"],
        env=os.environ
        | {
            "FLORIN_DATABASE_URL": auditor_of(own),
            "FLORIN_INTERNAL_HOST": HOST,
            "FLORIN_INTERNAL_PORT": str(port),
        },
    )
    try:

        def served() -> bool:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
                return "florin_invariant_broken{" in text and "completed_timestamp_seconds 1." in text
            return False

        await eventually(served, timeout_s=60)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
        process.wait(10)


def broken(metrics: WatchMetrics, label: str) -> set[str]:
    """The checks that are told as broken, by this label."""
    return {
        sample.labels[label]
        for family in metrics.registry.collect()
        if family.name == "florin_invariant_broken"
        for sample in family.samples
        if sample.value
    }


async def as_superuser(own: RunningServices, *statements: str) -> None:
    connection = await asyncpg.connect(own.database("account").admin_url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                await connection.execute(statement)
    finally:
        await connection.close()
