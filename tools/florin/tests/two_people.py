"""A maker and a checker at work on the books of running services: one proposal of each kind, approved."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from account_service.operations import carry_out_proposal as in_account
from service_kit.audit import Origin
from service_kit.clock import SystemClock
from service_kit.database import Database
from service_kit.ids import uuid7
from service_kit.proposals.deciding import CarryOut, Check, EndProposal, Propose, end_proposal, propose
from service_kit.proposals.proposal import Proposal, ProposalState
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.stacks import RunningServices
from transaction_service.operations import carry_out_proposal as in_transaction

CLOCK = SystemClock()
MAKER, CHECKER = (
    Origin(client_id="demo", actor=f"person:{UUID(int=number)}", credential="token:test") for number in (1, 2)
)
IN_ACCOUNT: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (
        "adjustment",
        {"account": "A", "direction": "credit", "amount_minor": 77, "currency": "EUR"},
    ),
    ("adjustment", {"account": "A", "direction": "debit", "amount_minor": 7, "currency": "EUR"}),
    ("unfreezing", {"account": "C", "state": "ACTIVE"}),
    ("overdraft-change", {"account": "C", "overdraft_minor": 50}),
    ("limit-change", {"account": "C", "daily_count": 900}),
    ("limit-change", {"currency": "JPY", "kyc_level": "full", "monthly_sum_minor": 10**12}),
)


async def decide_on_everything(running: RunningServices, *, payment_id: UUID) -> None:
    """Approve one proposal of each kind, reject one and withdraw one; of the payment 20 are given back."""
    freezing = {"state": "FROZEN", "reason": "a try"}
    frozen = await running.client("account").post("/v1/accounts/C/state", json=freezing)
    assert frozen.status_code == 200, frozen.text
    limit = {"currency": "EUR", "amount_minor": 10, "reason": "a try"}
    office = running.client("transaction", client="demo-office")
    assert (await office.put("/v1/reversal-approval-limits", json=limit)).is_success

    back = {"payment_id": str(payment_id), "amount_minor": 20}
    raised = {"currency": "EUR", "amount_minor": 10**9}
    for kind, terms in (*IN_ACCOUNT, ("reversal", back), ("reversal-limit-change", raised)):
        await decide(running, kind, terms)
    kind, terms = IN_ACCOUNT[0]
    await decide(running, kind, terms, state=ProposalState.REJECTED)
    await decide(running, kind, terms, state=ProposalState.WITHDRAWN, by=MAKER)


async def decide(
    running: RunningServices,
    kind: str,
    terms: Mapping[str, Any],
    *,
    state: ProposalState = ProposalState.APPROVED,
    by: Origin = CHECKER,
) -> UUID:
    """Propose it in the service that has the kind, and end it so; returns the proposal's id."""
    in_payments = kind.startswith("reversal")
    check: Check = in_transaction.check_proposal if in_payments else in_account.check_proposal
    carry_out: CarryOut = _carry_out_payments if in_payments else _carry_out_account
    database = Database(running.database("transaction" if in_payments else "account").app_url, pool_size=1)
    try:
        command = Propose(
            origin=MAKER,
            client_id="demo",
            idempotency_key=uuid4().hex,
            kind=kind,
            terms=terms,
            reason="a [red]try[/red]",
            lifetime=timedelta(hours=1),
        )
        async with database.transaction() as connection:
            made = (await propose(connection, command, check=check, clock=CLOCK, new_id=uuid7)).proposal
        end = EndProposal(origin=by, client_id="demo", proposal_id=made.id, state=state, reason="looked")
        async with database.transaction() as connection:
            await end_proposal(connection, end, carry_out=carry_out, clock=CLOCK)
    finally:
        await database.close()
    return made.id


async def _carry_out_account(
    connection: AsyncConnection, proposal: Proposal, origin: Origin
) -> Mapping[str, Any]:
    return await in_account.CarryOut(CLOCK, uuid7, origin)(connection, proposal)


async def _carry_out_payments(
    connection: AsyncConnection, proposal: Proposal, origin: Origin
) -> Mapping[str, Any]:
    return await in_transaction.carry_out_proposal(connection, proposal, origin, clock=CLOCK, new_id=uuid7)
