"""Verify finds what the database's superuser altered, and names the first bad row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from florin.demo.sample import LARGE_MINOR
from florin.importing.feed import Source
from florin.importing.runs import import_accounts, import_payments
from florin.importing.sending import Sender
from florin.verification import append_only, quiet
from florin.verification.checks import INVARIANTS, Audit, Snapshot
from florin.verification.report import CHECKS, Report, run, verify
from testkit.databases import connect
from testkit.stacks import RunningServices


class Books:
    """Services in which something of every kind has happened."""

    def __init__(self, running: RunningServices) -> None:
        self.running = running

    @asynccontextmanager
    async def tampered(self, *statements: str) -> AsyncIterator[Snapshot]:
        """What a superuser who switched the triggers off would leave behind; undone afterwards."""
        connection = await connect(self.running.database("transaction").admin_url)
        try:
            transaction = connection.transaction(isolation="repeatable_read")
            await transaction.start()
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("SET LOCAL enable_nestloop = off")
            for statement in statements:
                done = await connection.execute(statement)
                # What changes the catalogue tells no number of rows.
                assert done.split()[-1] != "0", f"the tampering touched nothing: {statement}"
            yield connection
            await transaction.rollback()
        finally:
            await connection.close()

    async def audited(self, *statements: str) -> Report:
        """All checks after the tampering."""
        async with self.tampered(*statements) as connection:
            return await run(Audit(connection))


@pytest.fixture(scope="module")
async def books(running: RunningServices, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Settled, rejected, in review, reversed: one of each at least."""
    folder: Path = tmp_path_factory.mktemp("books")
    accounts, payments = folder / "accounts.csv", folder / "payments.csv"
    accounts.write_text("account,holder,currency,opening_balance\nA,A,EUR,90000.00\nB,B,EUR,0\nC,C,JPY,500\n")
    rows = [f"P-{number},A,B,1.00,EUR,\n" for number in range(20)]
    rows += [f"R-1,A,B,{LARGE_MINOR // 100}.00,EUR,review\n", "F-1,B,A,5000.00,EUR,no funds\n"]
    rows += ["D-1,A,DENY-LISTED,1.00,EUR,denied\n"]
    payments.write_text("reference,debtor,creditor,amount,currency,description\n" + "".join(rows))
    await import_accounts(Sender(running.client("account")), Source(accounts))
    sender = Sender(running.client("transaction"))
    summary = await import_payments(sender, Source(payments))
    assert (summary.settled, summary.rejected, summary.in_review) == (20, 2, 1)
    page = await sender.get("/v1/payments", {"reference": "P-0"})
    first = UUID(page["items"][0]["id"])
    await sender.post(f"/v1/payments/{first}/reversals", {"amount_minor": 40}, key=str(uuid4()))
    return Books(running)


async def test_untouched_books_pass_every_check(books: Books) -> None:
    """Through the auditor's own role, and with the broker asked."""
    report = await verify(books.running.surroundings)
    assert report.ok, [result for result in report.results if result.finding.ok is False]
    # Logs lie elsewhere in these tests: everything else can be checked.
    assert {report.status(number) for number in INVARIANTS} == {"ok"}
    assert report.document()["ok"] is True


_FIRST = "(SELECT id FROM transaction.payments WHERE reference = 'P-3')"
_SECOND = "(SELECT id FROM transaction.payments WHERE reference = 'P-4')"
_REJECTED = "(SELECT id FROM transaction.payments WHERE reference = 'F-1')"
_REVIEWED = "(SELECT id FROM transaction.payments WHERE reference = 'R-1')"
_POSTING = f"(SELECT id FROM account.postings WHERE payment_id = {_FIRST})"
_ACCOUNT_A = "(SELECT id FROM account.accounts WHERE reference = 'A')"
_NOTICE = f"type = 'florin.payment.settled.v1' AND subject = {_FIRST}::text"

TAMPERINGS = {
    "an entry's amount": (
        1,
        f"UPDATE account.entries SET amount_minor = 7 WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "an entry removed": (1, f"DELETE FROM account.entries WHERE posting_id = {_POSTING} AND leg = 2"),
    "an entry moved to another account": (
        2,
        f"UPDATE account.entries SET account_id = {_ACCOUNT_A}, entry_number = 9999 "
        f"WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "an entry's currency": (
        1,
        f"UPDATE account.entries SET currency = 'USD' WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "a balance": (2, "UPDATE account.accounts SET posted_minor = posted_minor + 1 WHERE reference = 'A'"),
    "a running balance": (
        2,
        f"UPDATE account.entries SET balance_after_minor = 5 WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "an account's state": (2, "UPDATE account.accounts SET state = 'FROZEN' WHERE reference = 'A'"),
    "a payment's amount": (8, f"UPDATE transaction.payments SET amount_minor = 1 WHERE id = {_FIRST}"),
    "a payment's creditor": (8, f"UPDATE transaction.payments SET creditor = 'C' WHERE id = {_FIRST}"),
    "a payment's description": (8, f"UPDATE transaction.payments SET description = 'x' WHERE id = {_FIRST}"),
    "a payment's currency, to none": (
        8,
        f"UPDATE transaction.payments SET currency = 'XXX' WHERE id = {_FIRST}",
    ),
    "a payment removed": (3, f"DELETE FROM transaction.payments WHERE id = {_FIRST}"),
    "a lifecycle's tail cut off": (
        3,
        f"DELETE FROM transaction.payment_events WHERE payment_id = {_FIRST} AND sequence = 3",
    ),
    "a lifecycle event's time": (
        8,
        "UPDATE transaction.payment_events SET occurred_at = now() "
        f"WHERE payment_id = {_FIRST} AND sequence = 2",
    ),
    "a lifecycle event's reason": (
        8,
        f"UPDATE transaction.payment_events SET reason = 'x' WHERE payment_id = {_REJECTED} AND sequence = 2",
    ),
    "two lifecycles exchanged": (
        8,
        f"UPDATE transaction.payment_events SET payment_id = CASE payment_id WHEN {_FIRST} THEN {_SECOND} "
        f"ELSE {_FIRST} END, sequence = sequence + 500 WHERE payment_id IN ({_FIRST}, {_SECOND})",
        "UPDATE transaction.payment_events SET sequence = sequence - 500 WHERE sequence > 500",
    ),
    "an illegal move": (
        3,
        "UPDATE transaction.payment_events SET status = 'SETTLED' "
        f"WHERE payment_id = {_REJECTED} AND sequence = 2",
    ),
    "a projection": (
        3,
        f"UPDATE transaction.payment_states SET status = 'REJECTED' WHERE payment_id = {_FIRST}",
    ),
    "a payment forgotten half-way": (3, f"DELETE FROM fraud.review_queue WHERE payment_id = {_REVIEWED}"),
    "a notice that says something else": (
        3,
        f"""UPDATE transaction.outbox SET body = replace(body, '"SETTLED"', '"REJECTED"') WHERE {_NOTICE}""",
    ),
    "a notice that was never written": (3, f"DELETE FROM transaction.outbox WHERE {_NOTICE}"),
    "a rejected payment posted": (
        4,
        f"UPDATE account.postings SET payment_id = {_REJECTED} WHERE id = {_POSTING}",
    ),
    "a declined payment that stands": (
        4,
        f"UPDATE account.posting_declines SET code = 'debtor_closed' WHERE payment_id = {_REJECTED}",
    ),
    "a payment posted though screening declined": (
        4,
        f"UPDATE fraud.decisions SET decision = 'decline' WHERE payment_id = {_FIRST}",
    ),
    "two payments under one key": (
        5,
        "ALTER TABLE transaction.payments DROP CONSTRAINT payments_client_id_idempotency_key_key",
        f"UPDATE transaction.payments SET idempotency_key = 'import:P-4' WHERE id = {_FIRST}",
    ),
    "a settled payment never posted": (
        6,
        f"DELETE FROM account.postings WHERE id = {_POSTING}",
    ),
    "a posting between others": (
        6,
        f"UPDATE account.entries SET account_id = (SELECT id FROM account.accounts WHERE reference = 'C') "
        f"WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "a payment never screened": (6, f"DELETE FROM fraud.decisions WHERE payment_id = {_FIRST}"),
    "a reversal forgotten": (
        6,
        "UPDATE transaction.payment_states SET reversed_minor = 0 WHERE reversed_minor > 0",
    ),
    "a message that never arrived": (
        6,
        f"DELETE FROM fraud.inbox WHERE event_id = (SELECT event_id FROM transaction.outbox "
        f"WHERE type = 'florin.payment.initiated.v1' AND subject = {_FIRST}::text)",
    ),
    "an event never sent": (7, f"UPDATE transaction.outbox SET sent_at = NULL WHERE {_NOTICE}"),
    "a trigger removed": (9, "DROP TRIGGER payments_is_append_only ON transaction.payments"),
    "a trigger disabled": (9, "ALTER TABLE account.entries DISABLE TRIGGER entries_is_append_only"),
    "a trigger for replicas only": (
        9,
        "ALTER TABLE account.entries ENABLE REPLICA TRIGGER entries_is_not_truncated",
    ),
    "a trigger function that lets pass": (
        9,
        "CREATE OR REPLACE FUNCTION fraud.refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
    ),
    "a right granted": (9, "GRANT DELETE ON account.entries TO account_app"),
    "a right granted on one column": (9, "GRANT UPDATE (amount_minor) ON account.entries TO account_app"),
    "a role raised": (9, "GRANT account_owner TO account_app"),
    "a message with a name in it": (
        10,
        f"""UPDATE transaction.outbox SET body = replace(body, '"subject"', '"holder":"Eve","subject"')
        WHERE {_NOTICE}""",
    ),
    "a message's data with a name in it": (
        10,
        f"""UPDATE transaction.outbox SET body = replace(body, '"kind"', '"holder":"Eve","kind"')
        WHERE {_NOTICE}""",
    ),
    "a message that is none": (10, f"UPDATE transaction.outbox SET body = '[]' WHERE {_NOTICE}"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_what_a_superuser_alters_is_found(books: Books, what: str) -> None:
    """Each kind on its own, under the invariant that it breaks, with the row named."""
    invariant, *statements = TAMPERINGS[what]
    report = await books.audited(*(str(statement) for statement in statements))
    assert not report.ok
    assert report.status(int(str(invariant))) == "failed", report.document()
    (told,) = (one for one in report.document()["invariants"] if one["number"] == invariant)
    assert told["first_offender"]


async def test_the_offender_named_is_the_first_one(books: Books) -> None:
    """Whoever investigates begins there."""
    async with books.tampered(
        f"UPDATE transaction.payments SET amount_minor = 1 WHERE id = {_SECOND}"
    ) as data:
        second = await data.fetchval(f"SELECT {_SECOND}")
        report = await run(Audit(data), [check for check in CHECKS if check.invariant == 8])
    offender = report.results[0].finding.offender
    assert offender == f"payment {second}: the record does not have the hash it was stored with"


async def test_frames_in_a_queue_are_named_after_quiet(books: Books) -> None:
    """Dead ones by themselves."""
    depths = {"florin.account": 0, "florin.account.dead": 2, "florin.fraud": 1}
    async with books.tampered() as data:
        report = await run(Audit(data, depths=depths), quiet.CHECKS)
    told = {result.check.name: result.finding.offender for result in report.results}
    assert told["queues are empty"] == "florin.fraud holds 1 frames"
    assert told["dead queues are empty"] == "florin.account.dead holds 2 frames"


async def test_a_secret_in_a_log_is_found(books: Books, tmp_path: Path) -> None:
    """By what it is, never by its text."""
    log = tmp_path / "account.log"
    log.write_text("x" * 100 + "hunter2-hunter2\n")
    async with books.tampered() as data:
        audit = Audit(data, log_files=(str(log),), secrets={"API key of demo": "hunter2-hunter2"})
        report = await run(audit, [check for check in CHECKS if check.invariant == 10])
    offender = report.document()["invariants"][9]["first_offender"]
    assert offender == f"{log} holds the secret API key of demo"


async def test_every_append_only_table_there_is_is_looked_at(books: Books) -> None:
    """A table that a migration makes append-only must be known to the check, and the other way round."""
    connection: asyncpg.Connection[asyncpg.Record] = await connect(
        books.running.database("transaction").admin_url
    )
    try:
        guarded = await connection.fetch(
            """
            SELECT DISTINCT t.tgrelid::regclass::text AS name FROM pg_trigger t
            JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname = 'refuse_change'
            WHERE t.tgtype::int & 16 = 16 AND cardinality(t.tgattr::smallint[]) = 0
            """
        )
    finally:
        await connection.close()
    known = {f"{schema}.{table}" for schema, tables in append_only.TABLES.items() for table in tables}
    assert {row["name"] for row in guarded} == known
