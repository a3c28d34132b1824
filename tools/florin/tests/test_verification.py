"""Verify finds what the database's superuser altered, and names the first bad row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx2
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

from .careful_tamperings import CAREFUL
from .customer_tamperings import CUSTOMER_TAMPERINGS
from .hold_tamperings import HOLD_TAMPERINGS
from .limit_tamperings import LIMIT_TAMPERINGS
from .money_tamperings import MONEY_TAMPERINGS
from .proposal_tamperings import PROPOSAL_TAMPERINGS
from .tamperings import SECOND, TAMPERINGS
from .two_people import decide_on_everything

SINGLED_OUT = (
    HOLD_TAMPERINGS | CUSTOMER_TAMPERINGS | LIMIT_TAMPERINGS | MONEY_TAMPERINGS | PROPOSAL_TAMPERINGS
)


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
def running(own_running: RunningServices) -> RunningServices:
    """Their own: their books are tampered with."""
    return own_running


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
    deposit = {"amount_minor": 300, "currency": "JPY"}
    await Sender(running.client("account")).post("/v1/accounts/C/deposits", deposit, key=str(uuid4()))
    sender = Sender(running.client("transaction"))
    summary = await import_payments(sender, Source(payments))
    assert (summary.settled, summary.rejected, summary.in_review) == (20, 2, 1)
    page = await sender.get("/v1/payments", {"reference": "P-0"})
    first = UUID(page["items"][0]["id"])
    await sender.post(f"/v1/payments/{first}/reversals", {"amount_minor": 40}, key=str(uuid4()))
    await _limit(running)
    await _spend(running)
    await decide_on_everything(running, payment_id=first)
    await _hold(running)
    await _register(running)
    return Books(running)


async def _limit(running: RunningServices) -> None:
    """What has left A already, and all that leaves it from now on, counts."""
    for daily_sum_minor in (10**9, 10**10):
        body = {"daily_sum_minor": daily_sum_minor, "reason": "a try"}
        path = "/v1/accounts/A/limits"
        changed = await running.client("account", client="demo-office").put(path, json=body)
        assert changed.status_code == 200, changed.text


async def _hold(running: RunningServices) -> None:
    """One captured in part, one in two parts, one given up, one still open; and an overdraft that changed."""
    payments = running.client("transaction")

    async def ask(path: str, body: dict[str, object]) -> str:
        headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=20"}
        answer = await payments.post(f"/v1/payments{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    facts = {"debtor": "A", "creditor": "B", "amount_minor": 500, "currency": "EUR", "capture": "manual"}
    held = {
        name: await ask("", facts | {"reference": name, "hold": {"captured_many_times": name == "H-2"}})
        for name in ("H-1", "H-2", "H-3", "H-4")
    }
    await ask(f"/{held['H-1']}/captures", {"amount_minor": 300})
    await ask(f"/{held['H-2']}/captures", {"amount_minor": 100})
    await ask(f"/{held['H-2']}/captures", {"amount_minor": 200, "final": True})
    await ask(f"/{held['H-3']}/void", {"reason": "not wanted any more"})
    for overdraft_minor in (100, 0):
        changed = await running.client("account").put(
            "/v1/accounts/B/overdraft", json={"overdraft_minor": overdraft_minor, "reason": "a try"}
        )
        assert changed.status_code == 200, changed.text


async def _spend(running: RunningServices) -> None:
    """A payee has spent 70 of 100 when they are given back, and pays back 20; money goes in and out."""
    payments, accounts = running.client("transaction"), running.client("account")
    office = running.client("account", client="demo-office")

    async def ask(client: httpx2.AsyncClient, path: str, body: dict[str, object]) -> str:
        headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=20"}
        answer = await client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        assert answer.json().get("status", "SETTLED") == "SETTLED", answer.text
        return str(answer.json().get("id"))

    policy = {"policy": "receivable", "reason": "a try"}
    assert (await office.put("/v1/reversal-policy", json=policy)).is_success
    await ask(office, "/v1/settlement-accounts", {"name": "till", "currency": "EUR"})
    await ask(accounts, "/v1/accounts", {"account": "SPENDER", "holder": "S", "currency": "EUR"})
    facts = {"debtor": "A", "creditor": "SPENDER", "amount_minor": 100, "currency": "EUR"}
    given = await ask(payments, "/v1/payments", facts)
    await ask(payments, "/v1/payments", facts | {"debtor": "SPENDER", "creditor": "B", "amount_minor": 70})
    await ask(payments, f"/v1/payments/{given}/reversals", {})
    outside = {"currency": "EUR", "settlement": "till"}
    await ask(payments, "/v1/payments", facts | {"debtor": "B", "creditor": "SPENDER", "amount_minor": 60})
    collection = {"amount_minor": 20, "reason": "agreed"}
    await ask(office, "/v1/accounts/SPENDER/receivable-collections", collection)
    await ask(accounts, "/v1/accounts/B/deposits", outside | {"amount_minor": 60})
    await ask(office, "/v1/accounts/B/withdrawals", outside | {"amount_minor": 10})


async def test_untouched_books_pass_every_check(books: Books) -> None:
    """Through the auditor's own role, and with the broker asked."""
    report = await verify(books.running.surroundings)
    assert report.ok, [result for result in report.results if result.finding.ok is False]
    # Logs lie elsewhere in these tests: everything else can be checked.
    assert {report.status(number) for number in INVARIANTS} == {"ok"}
    assert report.document()["ok"] is True


async def _register(running: RunningServices) -> None:
    """Two customers, one of whom is known well; told to the payments."""
    accounts, office = running.client("account"), running.client("account", client="demo-office")
    for number in (1, 2):
        body = {"name": "N", "mobile": f"+42060111222{number}", "email": f"n{number}@example.com"}
        made = await accounts.post(
            "/v1/customers", json=body | {"currency": "EUR"}, headers={"Idempotency-Key": str(uuid4())}
        )
        assert made.status_code == 201, made.text
    path = f"/v1/customers/{made.json()['id']}/kyc"
    assert (await accounts.post(path, json={"level": "basic"})).is_success
    decision = {"decision": "approve", "level": "basic", "reason": "met in person"}
    assert (await office.post(f"{path}/decision", json=decision)).is_success
    report = await verify(running.surroundings)
    assert report.ok, "not yet quiet"


@pytest.mark.parametrize("what", SINGLED_OUT)
async def test_what_a_superuser_alters_is_found_by_the_check_that_is_for_it(books: Books, what: str) -> None:
    """Not by chance, by another one."""
    check, *statements = SINGLED_OUT[what]
    (chosen,) = (one for one in CHECKS if one.name == check)
    async with books.tampered(*statements) as connection:
        report = await run(Audit(connection), [chosen])
    assert not report.ok
    assert report.results[0].finding.offender


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_what_a_superuser_alters_is_found(books: Books, what: str) -> None:
    """Each kind on its own, under the invariant that it breaks, with the row named."""
    invariant, *statements = TAMPERINGS[what]
    report = await books.audited(*(str(statement) for statement in statements))
    assert not report.ok
    assert report.status(int(str(invariant))) == "failed", report.document()
    (told,) = (one for one in report.document()["invariants"] if one["number"] == invariant)
    assert told["first_offender"]


@pytest.mark.parametrize("what", CAREFUL)
async def test_what_a_careful_superuser_alters_is_found(books: Books, what: str) -> None:
    """Edit, delete, cut off the tail, insert, reorder: each breaks what another service knows of it."""
    invariant, words, statements = CAREFUL[what]
    async with books.tampered() as untouched:
        named = await untouched.fetchval(f"SELECT {words}")
    async with books.tampered(*statements) as data:
        report = await run(Audit(data), [check for check in CHECKS if check.invariant == invariant])
    offenders = [result.finding.offender for result in report.results if result.finding.ok is False]
    assert named in str(offenders[0] if offenders else None)


async def test_the_offender_named_is_the_first_one(books: Books) -> None:
    """Whoever investigates begins there."""
    async with books.tampered(
        f"UPDATE transaction.payments SET amount_minor = 1 WHERE id = {SECOND}"
    ) as data:
        second = await data.fetchval(f"SELECT {SECOND}")
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
            -- 24: refuses DELETE too, which an outbox lets happen to what is old.
            WHERE t.tgtype::int & 24 = 24 AND cardinality(t.tgattr::smallint[]) = 0
            """
        )
    finally:
        await connection.close()
    known = {f"{schema}.{table}" for schema, tables in append_only.TABLES.items() for table in tables}
    assert {row["name"] for row in guarded} == known
