"""The database holds people to two: also against whatever the code above it might do."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from account_service.domain.account import NEXT, AccountState, loosens
from service_kit.proposals import store
from service_kit.proposals.proposal import ProposalEnd, ProposalState
from sqlalchemy.exc import DBAPIError
from testkit.databases import ServiceDatabase, connect

from .bank import Bank
from .callers import PEOPLE
from .proposing import adjustment, end, proposed, told


@pytest.mark.parametrize("state", [ProposalState.APPROVED, ProposalState.REJECTED])
async def test_the_database_refuses_a_decision_by_who_proposed_it(bank: Bank, state: ProposalState) -> None:
    """Whatever the code above it does."""
    proposal = await proposed(bank, **adjustment(await bank.open()))
    await refused(bank, proposal, state, PEOPLE["maker"], "proposals_are_decided_by_another")


async def test_the_database_refuses_a_withdrawal_by_another(bank: Bank) -> None:
    proposal = await proposed(bank, **adjustment(await bank.open()))
    rule = "proposals_are_withdrawn_by_their_proposer"
    await refused(bank, proposal, ProposalState.WITHDRAWN, PEOPLE["checker"], rule)


async def test_the_database_refuses_a_second_decision(bank: Bank) -> None:
    proposal = await proposed(bank, **adjustment(await bank.open()))
    assert (await end(bank, proposal, "reject")).status_code == 200
    await refused(bank, proposal, ProposalState.APPROVED, PEOPLE["other-checker"], "proposal_ends_pkey")


async def refused(bank: Bank, proposal: str, state: ProposalState, author: str, rule: str) -> None:
    """The end, written past all rules of the code, meets that of the database."""
    word = ProposalEnd(state, "By hand", author, datetime.now(UTC))
    with pytest.raises(DBAPIError) as refusal:
        async with bank.database.transaction() as connection:
            await store.save_end(connection, UUID(proposal), word)
    cause = refusal.value.orig.__cause__ if refusal.value.orig is not None else None
    assert getattr(cause, "constraint_name", None) == rule


async def test_the_database_lets_nothing_end_too_late(bank: Bank, account_database: ServiceDatabase) -> None:
    """By the server's clock, wherever the process's stands: it is told as expired, too."""
    bank.clock.at = datetime.now(UTC) - timedelta(hours=1)
    proposal = await proposed(bank, **adjustment(await bank.open()), expires_in_s=60)
    assert told(await end(bank, proposal, "approve")) == (409, "proposal_expired")
    connection = await connect(account_database.app_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await connection.execute(
                "INSERT INTO proposal_ends VALUES ($1, 'APPROVED', 'Late', 'person:x', $2, '{}')",
                proposal,
                bank.clock.at,
            )
    finally:
        await connection.close()
    assert refusal.value.constraint_name == "proposals_end_in_time"


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("account_state_changes", "account_id, previous, state", "{id}, 'FROZEN', 'ACTIVE'"),
        ("account_overdraft_changes", "account_id, previous_minor, overdraft_minor", "{id}, 0, 1"),
        (
            "limit_changes",
            "client_id, currency, scope, account_id",
            "'bank', 'CZK', 'account', {id}",
        ),
    ],
)
@pytest.mark.parametrize("named", ["nothing", "an open proposal", "an approved one of other content"])
async def test_the_database_lets_no_person_loosen_alone(
    bank: Bank,
    account_database: ServiceDatabase,
    *,
    table: str,
    columns: str,
    values: str,
    named: str,
) -> None:
    """At commit, past all code; a system's row passes, so that the refusal is for what it says."""
    account = await bank.open()
    [row] = await bank.rows("SELECT id FROM accounts WHERE reference = :name", name=account)
    proposal = "NULL"
    if named != "nothing":
        await bank.set_state(account, "FROZEN")
        made = await proposed(bank, kind="unfreezing", account=account, state="CLOSING")
        proposal = f"'{made}'"
        if named != "an open proposal":
            assert (await end(bank, made, "approve")).is_success
    written = f"INSERT INTO {table} ({columns}, reason, author, changed_at, proposal_id) VALUES ("
    written += values.format(id=row.id) + ", 'r', '{author}', now(), {proposal})"
    connection = await connect(account_database.app_url)
    try:
        await connection.execute(written.format(author="client:bank", proposal="NULL"))
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.UniqueViolationError)) as refusal:
            await connection.execute(written.format(author="person:1", proposal=proposal))
        # One that was carried out is not carried out a second time, either.
        assert refusal.value.constraint_name in {f"{table}_are_approved", f"{table}_carry_out_once"}
    finally:
        await connection.close()


async def test_the_database_and_the_domain_agree_on_what_loosens(
    bank: Bank, account_database: ServiceDatabase
) -> None:
    account = await bank.open()
    [row] = await bank.rows("SELECT id FROM accounts WHERE reference = :name", name=account)
    connection = await connect(account_database.app_url)
    wrong = []
    try:
        for previous in AccountState:
            for state in AccountState:
                if state not in NEXT[previous]:
                    continue
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute(
                    "INSERT INTO account_state_changes (account_id, previous, state, reason, author, "
                    "changed_at) VALUES ($1, $2, $3, 'r', 'person:1', now())",
                    row.id,
                    previous.value,
                    state.value,
                )
                try:
                    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    refused_by_database = False
                except asyncpg.CheckViolationError:
                    refused_by_database = True
                await transaction.rollback()
                if refused_by_database != loosens(previous, state):
                    wrong.append((previous, state))
    finally:
        await connection.close()
    assert wrong == []


@pytest.mark.parametrize("with_proposal", ["none", "open", "other amount"])
async def test_the_database_posts_no_adjustment_that_two_did_not_decide(
    bank: Bank, account_database: ServiceDatabase, with_proposal: str
) -> None:
    """Neither without a proposal, nor one that is open, nor for another amount than was approved."""
    account = await bank.open()
    # So that the client's adjustment account is there.
    assert (await end(bank, await proposed(bank, **adjustment(account, 1)), "approve")).is_success
    proposal = None
    if with_proposal != "none":
        proposal = await proposed(bank, **adjustment(account, 10))
    connection = await connect(account_database.app_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        if with_proposal == "other amount":
            # In the same transaction, so that this posting is the first to carry it out.
            await connection.execute(
                "INSERT INTO proposal_ends VALUES ($1, 'APPROVED', 'r', 'person:x', now(), '{}')", proposal
            )
        posting = uuid4()
        await connection.execute(
            "INSERT INTO postings (id, client_id, kind, posted_at, proposal_id) "
            "VALUES ($1, 'bank', 'adjustment', now(), $2)",
            posting,
            proposal,
        )
        for leg, (reference, amount) in enumerate((("system:adjustment:CZK", -11), (account, 11)), 1):
            await connection.execute(
                """
                WITH entry AS (
                    INSERT INTO entries SELECT $1, $2, id, version + 1, $3, posted_minor + $3, currency, now()
                    FROM accounts WHERE reference = $4 AND client_id = 'bank' RETURNING account_id)
                UPDATE accounts SET posted_minor = posted_minor + $3, version = version + 1
                WHERE id IN (SELECT account_id FROM entry)
                """,
                posting,
                leg,
                amount,
                reference,
            )
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await transaction.commit()
    finally:
        await connection.close()
    assert refusal.value.constraint_name == "postings_are_approved"
