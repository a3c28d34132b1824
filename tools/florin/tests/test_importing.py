"""Importing into running services: once is once, in any chunking, through an outage."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from florin.importing.feed import Source
from florin.importing.progress import Unwatched
from florin.importing.runs import Summary, import_accounts, import_payments
from florin.importing.sending import NoAnswer, Refused, Sender
from testkit.databases import connect
from testkit.stacks import RunningServices

HEADER = "reference,debtor,creditor,amount,currency,description\n"


class Office:
    """Files and the services they go to, under names of one test's own."""

    def __init__(self, running: RunningServices, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self.tag = uuid4().hex[:8]

    async def open(self, *, payers: int = 3, balance: str = "1000.00") -> Summary:
        """Accounts P0, P1, …, and SHOP."""
        lines = [f"{self.tag}-P{n},Payer,EUR,{balance}\n" for n in range(payers)]
        file = self.folder / "accounts.csv"
        file.write_text(
            f"account,holder,currency,opening_balance\n{''.join(lines)}{self.tag}-SHOP,Shop,EUR,0\n"
        )
        return await import_accounts(Sender(self.running.client("account")), Source(file))

    def payments(self, count: int, *, payers: int = 3, amount: str = "1.00") -> Path:
        """A file of payments to SHOP."""
        file = self.folder / "payments.csv"
        lines = [
            f"{self.tag}-{n},{self.tag}-P{n % payers},{self.tag}-SHOP,{amount},EUR,nr {n}\n"
            for n in range(count)
        ]
        file.write_text(HEADER + "".join(lines))
        return file

    async def pay(self, file: Path, *, chunk: int = 500, watcher: Unwatched | None = None) -> Summary:
        """Import payments."""
        sender = Sender(self.running.client("transaction"), patience_s=90)
        return await import_payments(sender, Source(file, chunk=chunk, patience_s=90), watcher)

    async def received_minor(self) -> int:
        """What SHOP has."""
        answer = await self.running.client("account").get(f"/v1/accounts/{self.tag}-SHOP")
        return int(answer.json()["posted_minor"])

    async def payment_count(self) -> int:
        """How many payments of this test exist."""
        connection = await connect(self.running.database("transaction").admin_url)
        try:
            query = "SELECT count(*) FROM transaction.payments WHERE reference LIKE $1"
            return int(await connection.fetchval(query, f"{self.tag}-%"))
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def running(own_running: RunningServices) -> RunningServices:
    """Their own: they are killed."""
    return own_running


@pytest.fixture
def office(running: RunningServices, tmp_path: Path) -> Office:
    """A test's own."""
    return Office(running, tmp_path)


async def test_a_file_given_twice_in_other_chunks_pays_once(office: Office) -> None:
    """The reference is the key, however the lines are packed."""
    opened = await office.open()
    assert (opened.accepted, opened.replayed, opened.exit_status) == (4, 0, 0)
    again = await office.open()
    assert (again.accepted, again.replayed, again.exit_status) == (0, 4, 0)
    file = office.payments(60)
    first = await office.pay(file, chunk=25)
    assert (first.accepted, first.settled, first.rejected, first.replayed) == (60, 60, 0, 0)
    assert first.exit_status == 0
    second = await office.pay(file, chunk=7)
    assert (second.accepted, second.settled, second.rejected, second.replayed) == (0, 0, 0, 60)
    assert await office.received_minor() == 6_000


async def test_bad_lines_and_rejected_payments_are_told_by_line_and_the_rest_are_paid(office: Office) -> None:
    """Each in the rejects file with its reason, and the status says that something is there to be read."""
    await office.open(payers=1, balance="3.00")
    file = office.payments(2, payers=1)
    payer, shop = f"{office.tag}-P0", f"{office.tag}-SHOP"
    with file.open("a") as more:
        more.write(f"{office.tag}-x,{payer},{shop},1.005,EUR,\n")
        more.write(f"{office.tag}-0,{payer},{shop},1.00,EUR,nr 0\n")
        more.write(f"{office.tag}-y,{payer},{payer},1.00,EUR,\n")
        more.write(f"{office.tag}-z,{payer},{shop},500.00,EUR,\n")
    summary = await office.pay(file)
    assert (summary.accepted, summary.settled, summary.rejected, summary.errors) == (3, 2, 1, 3)
    assert summary.rejected_by == {"insufficient_funds": 1}
    assert summary.refused_by == {"too_many_decimals": 1, "duplicate_in_file": 1, "same_account": 1}
    assert summary.exit_status == 1
    rejects = (office.folder / "payments.rejects.csv").read_text().splitlines()
    told = {tuple(line.split(",")[:2]) for line in rejects[1:]}
    assert told == {
        ("4", "too_many_decimals"),
        ("5", "duplicate_in_file"),
        ("6", "same_account"),
        ("7", "insufficient_funds"),
    }


async def test_the_same_reference_for_another_payment_is_refused(office: Office) -> None:
    """It would be a payment that nobody can tell from the first."""
    await office.open()
    await office.pay(office.payments(3))
    summary = await office.pay(office.payments(3, amount="2.00"))
    assert (summary.accepted, summary.errors) == (0, 3)
    assert summary.refused_by == {"idempotency_key_reused": 3}
    assert await office.received_minor() == 300


class Killer(Unwatched):
    """Kills services once a good part of the file has been answered."""

    def __init__(self, office: Office, *services: str, after: int) -> None:
        self._office = office
        self._services = services
        self._after = after
        self.fired = asyncio.Event()

    def sent(self, lines: int) -> None:
        """A fault that never fires proves nothing: the test asks."""
        if lines >= self._after and not self.fired.is_set():
            for service in self._services:
                self._office.running.services.kill(service)
            self.fired.set()


async def test_an_import_outlives_services_that_are_killed_under_it(office: Office) -> None:
    """Nothing is lost, nothing paid twice, and what was accepted is counted as accepted."""
    await office.open()
    file = office.payments(600)
    killer = Killer(office, "transaction", "account", after=120)
    importing = asyncio.create_task(office.pay(file, chunk=20, watcher=killer))
    async with asyncio.timeout(60):
        await killer.fired.wait()
    for service in ("transaction", "account"):
        await asyncio.to_thread(office.running.services.start, service)
    summary = await importing
    assert killer.fired.is_set()
    assert summary.retries > 0
    assert (summary.accepted, summary.settled, summary.replayed) == (600, 600, 0)
    assert await office.payment_count() == 600
    assert await office.received_minor() == 60_000


async def test_a_service_that_stays_away_ends_the_import_with_a_word(office: Office) -> None:
    """Patience is bounded."""
    file = office.payments(1)
    office.running.services.kill("transaction")
    try:
        sender = Sender(office.running.client("transaction"), patience_s=0.5)
        with pytest.raises(NoAnswer, match="gave no answer"):
            await import_payments(sender, Source(file))
    finally:
        await asyncio.to_thread(office.running.services.start, "transaction")


async def test_a_refusal_of_the_whole_request_is_not_repeated(office: Office) -> None:
    """It would be refused for ever."""
    with pytest.raises(Refused) as refused:
        await Sender(office.running.client("transaction")).post("/v1/payments", {}, key="k")
    assert (refused.value.code, refused.value.rule) == ("invalid_request", "missing")
