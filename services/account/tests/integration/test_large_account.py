"""An account with a million entries answers as fast as a small one."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from testkit.databases import ServiceDatabase, connect

from .bank import Bank

ENTRIES, CHUNK = 1_000_000, 50_000
CALLS = 100
BOUND_MS = 50
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
# In turn, so that the balance never passes its overdraft.
AMOUNTS = (5, 3, -4, 2, -6, 1)


def at(number: int) -> datetime:
    return BEGIN + number * STEP


def instant(number: int) -> str:
    return at(number).isoformat().replace("+00:00", "Z")


def amount_of(number: int) -> int:
    return AMOUNTS[number % len(AMOUNTS)]


@pytest.fixture
async def large(bank: Bank, account_database: ServiceDatabase) -> AsyncIterator[str]:
    """The account's reference: every entry paid by or to the client's opening-balances account, in the app
    role's own rights and past none of the database's checks."""
    account = await bank.open(overdraft_minor=1_000)
    await bank.open(balance=1)
    connection = await connect(account_database.app_url)
    accounts = {
        row["reference"]: row
        for row in await connection.fetch("SELECT * FROM accounts WHERE client_id = 'bank'")
    }
    own, other = accounts[account], accounts["system:opening-balances:CZK"]
    for first in range(1, ENTRIES + 1, CHUNK):
        numbers = range(first, first + CHUNK)
        async with connection.transaction():
            await connection.copy_records_to_table(
                "postings",
                columns=["id", "client_id", "kind", "posted_at"],
                records=[(UUID(int=number), "bank", "deposit", at(number)) for number in numbers],
            )
            for leg, row, sign in ((1, own, 1), (2, other, -1)):
                await connection.copy_records_to_table(
                    "entries",
                    columns=[
                        *("posting_id", "leg", "account_id", "entry_number", "amount_minor"),
                        *("balance_after_minor", "currency", "posted_at"),
                    ],
                    records=list(_entries(numbers, leg, row, sign)),
                )
                await connection.execute(
                    "UPDATE accounts SET posted_minor = posted_minor + $2, version = version + $3 "
                    "WHERE id = $1",
                    row["id"],
                    sign * sum(map(amount_of, numbers)),
                    len(numbers),
                )
    yield account
    await connection.close()


def _entries(numbers: range, leg: int, row: Any, sign: int) -> Iterator[tuple[Any, ...]]:
    balance = row["posted_minor"] + sign * sum(map(amount_of, range(1, numbers.start)))
    for number in numbers:
        amount = sign * amount_of(number)
        balance += amount
        posting, place = UUID(int=number), row["version"] + number
        yield posting, leg, row["id"], place, amount, balance, row["currency"], at(number)


@pytest.mark.slow
async def test_an_account_of_a_million_entries_answers_in_milliseconds(
    bank: Bank, large: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(7)
    path = f"/v1/accounts/{large}"

    def anywhere() -> int:
        return dice.randrange(1, ENTRIES)

    def period() -> str:
        return f"from={instant(anywhere() // 2)}&to={instant(ENTRIES // 2 + anywhere() // 2)}"

    async def seen(query: str) -> dict[str, Any]:
        answer = await bank.send("GET", f"{path}/{query}", key=None)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    deep = f"from={instant(1)}&to={instant(ENTRIES)}&limit=50"
    cursor = (await seen(f"statement?{deep}"))["next_cursor"]
    questions: dict[str, Callable[[], str]] = {
        "balance now": lambda: "balance",
        "balance at an instant": lambda: f"balance?at={instant(anywhere())}",
        "statement, first page": lambda: f"statement?{period()}",
        "statement, next page": lambda: f"statement?{deep}&cursor={cursor}",
        "entries, newest": lambda: "entries",
        "entries of a period": lambda: f"entries?{period()}",
    }
    for words, question in questions.items():
        took = []
        for _ in range(CALLS):
            query = question()
            started = perf_counter()
            await seen(query)
            took.append((perf_counter() - started) * 1000)
        with capsys.disabled():
            print(f"\n{words}: median {median(took):.1f} ms, slowest {max(took):.1f} ms")
        assert median(took) < BOUND_MS, words
    await _answers_are_right(bank, path, anywhere())


async def _answers_are_right(bank: Bank, path: str, number: int) -> None:
    expected = sum(map(amount_of, range(1, number + 1)))
    told = (await bank.send("GET", f"{path}/balance?at={instant(number)}", key=None)).json()
    assert (told["posted_minor"], told["version"]) == (expected, number)
    query = f"from={instant(number)}&to={instant(number + 3)}"
    told = (await bank.send("GET", f"{path}/statement?{query}", key=None)).json()
    assert [line["amount_minor"] for line in told["items"]] == [amount_of(number + n) for n in range(3)]
    query = f"from={instant(0)}&to={instant(ENTRIES)}"
    for accept in ("text/csv", "application/xml"):
        answer = await bank.send("GET", f"{path}/statement?{query}", key=None, accept=accept)
        assert (answer.status_code, answer.json()["figures"]["lines"]) == (422, ENTRIES - 1)
