"""Verify finds what was done to an audit log, and the end of a chain is held against what was kept of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from itertools import accumulate
from typing import Any

import asyncpg
import pytest
from florin import audit_reading
from florin.audit_heads import read_heads, write_head
from florin.commands.audit import table_of
from florin.errors import StackError
from florin.provision import AUDITOR
from florin.verification import audit_log
from florin.verification.checks import Audit, Snapshot
from florin.verification.report import run, snapshot, verify
from rich.console import Console
from service_kit.audit import chain
from service_kit.audit.chain import Head
from testkit.databases import connect
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .audit_tamperings import AUDIT_TAMPERINGS

SEALS = "SELECT * FROM account.audit_seals ORDER BY position"


@pytest.fixture(scope="module")
async def heads(running: RunningServices) -> dict[str, Head]:
    """Where the chains end once something has been done and is sealed."""
    client = running.client("account")
    for number in range(4):
        body = {"account": f"AUDITED-{number}", "holder": "H", "currency": "EUR"}
        made = await client.post("/v1/accounts", json=body, headers={"Idempotency-Key": f"audited-{number}"})
        assert made.is_success, made.text

    async def sealed() -> dict[str, Head] | None:
        async with snapshot(running.surroundings.role_url(AUDITOR)) as connection:
            waiting = await connection.fetchval("SELECT count(*) FROM account.audit_unsealed")
            return None if waiting else dict(await audit_log.heads_of(connection))

    found = await eventually(sealed)
    assert found is not None
    assert found["account"].position >= 4
    return found


@asynccontextmanager
async def tampered(running: RunningServices, *statements: str) -> AsyncIterator[Snapshot]:
    """What a superuser who switched the triggers off would leave behind; undone afterwards."""
    connection = await connect(running.database("account").admin_url)
    try:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        await connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            done = await connection.execute(statement)
            assert done.split()[-1] != "0", f"the tampering touched nothing: {statement}"
        yield connection
        await transaction.rollback()
    finally:
        await connection.close()


async def test_an_untouched_log_holds_the_heads_that_were_kept(
    running: RunningServices, heads: dict[str, Head]
) -> None:
    kept = read_heads([write_head(service, head) for service, head in heads.items()])
    report = await verify(running.surroundings, heads=kept)
    told = {result.check.name: result.finding.ok for result in report.results}
    assert told[audit_log.AGAINST_HEADS.name] is True
    assert all(told[check.name] for check in audit_log.CHECKS)


@pytest.mark.parametrize("what", AUDIT_TAMPERINGS)
async def test_what_is_done_to_the_log_is_found_by_the_check_that_is_for_it(
    running: RunningServices, heads: dict[str, Head], what: str
) -> None:
    check, *statements = AUDIT_TAMPERINGS[what]
    (chosen,) = (one for one in audit_log.CHECKS if one.name == check)
    async with tampered(running, *statements) as data:
        report = await run(Audit(data), [chosen])
    assert not report.ok
    assert str(report.results[0].finding.offender).startswith("account: ")


async def test_an_end_that_was_cut_off_is_missed_by_the_head_alone(
    running: RunningServices, heads: dict[str, Head]
) -> None:
    last = heads["account"].position
    cut = (
        "DELETE FROM account.audit_entries WHERE id IN "
        f"(SELECT entry_id FROM account.audit_seals WHERE position > {last - 2})",
        f"DELETE FROM account.audit_seals WHERE position > {last - 2}",
    )
    async with tampered(running, *cut) as data:
        assert (await run(Audit(data), audit_log.CHECKS)).ok
        report = await run(Audit(data, heads=heads), [audit_log.AGAINST_HEADS])
    assert report.results[0].finding.offender == f"account: the chain ends before position {last}"


async def test_a_chain_that_was_written_anew_does_not_lead_to_the_head(
    running: RunningServices, heads: dict[str, Head]
) -> None:
    altered = (
        "UPDATE account.audit_entries SET reason = 'invented' "
        "WHERE id = (SELECT entry_id FROM account.audit_seals WHERE position = 1)"
    )
    async with tampered(running, altered) as data:
        await _seal_anew(data)
        assert (await run(Audit(data), audit_log.CHECKS)).ok
        report = await run(Audit(data, heads=heads), [audit_log.AGAINST_HEADS])
    position = heads["account"].position
    assert report.results[0].finding.offender == f"account: position {position} has another hash"


async def _seal_anew(data: "asyncpg.Connection[Any]") -> None:
    rows = await data.fetch(chain.SEALED.format(schema="account"))
    anew = accumulate(map(chain.form_of, rows), chain.following, initial=chain.beginning("account"))
    for head in list(anew)[1:]:
        await data.execute(
            "UPDATE account.audit_seals SET hash = $1 WHERE position = $2", head.hash, head.position
        )


async def test_entries_are_shown_and_showing_them_is_an_entry(
    running: RunningServices, heads: dict[str, Head]
) -> None:
    asked = {"subject": "AUDITED-1"}
    [told] = await audit_reading.entries(running.surroundings, ["account"], key="demo-office", asked=asked)
    assert (told["service"], told["action"], told["actor"]) == ("account", "account.opened", "client:demo")
    [reading] = await audit_reading.entries(
        running.surroundings, ["account"], key="demo-office", asked={"action": "audit.read", "limit": 1}
    )
    assert reading["after"] == asked | {"limit": 50, "count": 1}
    console = Console(width=300, record=True, file=StringIO())
    console.print(table_of([told | {"reason": "[red]not ours[/red]"}]))
    shown = console.export_text()
    assert all(word in shown for word in ("AUDITED-1", "account.opened", "[red]not ours[/red]", '"***"'))


async def test_heads_are_told_as_verify_takes_them(running: RunningServices, heads: dict[str, Head]) -> None:
    lines = await audit_reading.head_lines(running.surroundings, ["account", "fraud"])
    assert read_heads(lines).keys() == {"account", "fraud"}


async def test_whose_key_may_not_audit_is_told_so(running: RunningServices) -> None:
    with pytest.raises(StackError, match="audit:read"):
        await audit_reading.entries(running.surroundings, ["account"], key="demo", asked={})


@pytest.mark.parametrize(
    "text", ["account", "account:1", f"bank:1:{'0' * 64}", f"account:-1:{'0' * 64}", "account:1:xyz"]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="not an audit head"):
        read_heads([text])


def test_two_heads_of_a_service_are_refused() -> None:
    with pytest.raises(StackError, match="two audit heads"):
        read_heads([f"account:{position}:{'0' * 64}" for position in (1, 2)])
