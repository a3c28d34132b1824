"""What is proposed is seen with how it ended, in every service that keeps proposals."""

import io
from uuid import uuid4

from florin import proposed
from florin.commands.proposals import sheet_of, table_of
from rich.console import Console
from rich.table import Table
from service_kit.proposals.proposal import ProposalState
from testkit.stacks import RunningServices

from .two_people import CHECKER, MAKER, decide

SERVICES = ("account", "transaction")


def drawn(table: Table) -> str:
    """As a wide terminal shows it."""
    console = Console(file=io.StringIO(), width=400)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_proposals_are_listed_and_shown_with_their_ends(running: RunningServices) -> None:
    account = f"ACC-{uuid4().hex[:12]}"
    opened = await running.client("account").post(
        "/v1/accounts",
        json={"account": account, "holder": "Somebody", "currency": "EUR"},
        headers={"idempotency-key": account},
    )
    assert opened.is_success, opened.text
    approved = await decide(running, "overdraft-change", {"account": account, "overdraft_minor": 5})
    rejected = await decide(
        running,
        "reversal-limit-change",
        {"currency": "ISK", "amount_minor": 5},
        state=ProposalState.REJECTED,
    )
    surroundings = running.surroundings
    found = await proposed.listed(surroundings, SERVICES, state=None, limit=100)
    assert {approved, rejected} <= {one.id for one in found}
    only = await proposed.listed(surroundings, SERVICES, state="REJECTED", limit=100)
    assert rejected in {one.id for one in only}
    assert {one.state for one in only} == {"REJECTED"}
    (one,) = await proposed.one(surroundings, SERVICES, approved)
    assert (one.service, one.proposed_by, one.ended_by) == ("account", MAKER.actor, CHECKER.actor)
    assert await proposed.one(surroundings, SERVICES, uuid4()) == []
    line = drawn(table_of([one]))
    assert all(word in line for word in (str(approved), account, "APPROVED", CHECKER.actor))
    # What people write is told as they wrote it, whatever it would mean to the terminal.
    assert "a [red]try[/red]" in drawn(sheet_of(one))
