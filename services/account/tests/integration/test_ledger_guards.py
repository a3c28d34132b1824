"""The database's own checks: they hold against whatever the code above them might do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from testkit.databases import ServiceDatabase, connect

from .bank import Bank

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Hand:
    """Writes into the ledger past all code, as the app role."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def posting(self, client_id: str = "bank", *, at: datetime = AT) -> UUID:
        posting_id = uuid4()
        await self.connection.execute(
            "INSERT INTO postings (id, client_id, kind, posted_at) VALUES ($1, $2, 'deposit', $3)",
            posting_id,
            client_id,
            at,
        )
        return posting_id

    async def entry(self, posting: UUID, leg: int, account: str, amount: int, **given: Any) -> None:
        """The account's next entry; anything about it may be given another value."""
        row = await self.connection.fetchrow(
            "SELECT id, version, posted_minor, currency FROM accounts WHERE reference = $1", account
        )
        facts = {
            "account_id": row["id"],
            "number": row["version"] + 1,
            "balance": row["posted_minor"] + amount,
            "currency": row["currency"],
            "at": AT,
        } | given
        await self.connection.execute(
            "INSERT INTO entries (posting_id, leg, account_id, entry_number, amount_minor, "
            "balance_after_minor, currency, posted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            posting,
            leg,
            facts["account_id"],
            facts["number"],
            amount,
            facts["balance"],
            facts["currency"],
            facts["at"],
        )

    async def move_balance(self, account: str, amount: int) -> None:
        await self.connection.execute(
            "UPDATE accounts SET posted_minor = posted_minor + $2, version = version + 1 "
            "WHERE reference = $1",
            account,
            amount,
        )


@pytest.fixture
async def hand(account_database: ServiceDatabase) -> AsyncIterator[Hand]:
    connection = await connect(account_database.app_url)
    yield Hand(connection)
    await connection.close()


async def test_a_balanced_posting_passes(bank: Bank, hand: Hand) -> None:
    """So that every refusal below is for its own reason."""
    payer, payee = await bank.open(balance=10), await bank.open()
    async with hand.connection.transaction():
        posting = await hand.posting()
        await hand.entry(posting, 1, payer, -4)
        await hand.entry(posting, 2, payee, 4)
        await hand.move_balance(payer, -4)
        await hand.move_balance(payee, 4)
    await bank.assert_books_balance()


async def refused_at_commit(hand: Hand, rule: str, *legs: tuple[int, str, int, dict[str, Any]]) -> None:
    """Whatever is written is accepted until COMMIT, which refuses it by that rule."""
    transaction = hand.connection.transaction()
    await transaction.start()
    posting = await hand.posting()
    for leg, account, amount, given in legs:
        await hand.entry(posting, leg, account, amount, **given)
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await transaction.commit()
    assert refusal.value.constraint_name == rule


async def test_a_posting_without_entries_is_refused_at_commit(bank: Bank, hand: Hand) -> None:
    await refused_at_commit(hand, "postings_are_balanced")


async def test_a_posting_with_one_entry_is_refused_at_commit(bank: Bank, hand: Hand) -> None:
    account = await bank.open(balance=10)
    await refused_at_commit(hand, "postings_are_balanced", (1, account, 5, {}))


async def test_entries_that_do_not_sum_to_zero_are_refused_at_commit(bank: Bank, hand: Hand) -> None:
    one, two = await bank.open(balance=10), await bank.open()
    await refused_at_commit(hand, "postings_are_balanced", (1, one, -5, {}), (2, two, 6, {}))


async def test_entries_sum_to_zero_in_each_currency_not_together(bank: Bank, hand: Hand) -> None:
    crowns, euros = await bank.open(balance=10), await bank.open(currency="EUR")
    await refused_at_commit(hand, "postings_are_balanced", (1, crowns, -5, {}), (2, euros, 5, {}))


async def test_two_currencies_that_each_sum_to_zero_pass(bank: Bank, hand: Hand) -> None:
    crowns = [await bank.open(balance=10), await bank.open()]
    euros = [await bank.open(balance=10, currency="EUR"), await bank.open(currency="EUR")]
    async with hand.connection.transaction():
        posting = await hand.posting()
        for leg, (account, amount) in enumerate(zip([*crowns, *euros], (-5, 5, -2, 2), strict=True), start=1):
            await hand.entry(posting, leg, account, amount)
            await hand.move_balance(account, amount)
    await bank.assert_books_balance()


@pytest.mark.parametrize("leg", [2, 3])
async def test_nothing_can_be_added_to_a_posting_that_has_committed(bank: Bank, hand: Hand, leg: int) -> None:
    account = await bank.open(balance=10)
    [row] = await bank.rows(
        "SELECT e.posting_id, e.posted_at FROM entries e JOIN accounts a ON a.id = e.account_id "
        "WHERE a.reference = :account",
        account=account,
    )

    async def add() -> None:
        async with hand.connection.transaction():
            await hand.entry(row.posting_id, leg, account, 1, at=row.posted_at)

    with pytest.raises(asyncpg.UniqueViolationError if leg == 2 else asyncpg.CheckViolationError):
        await add()


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("entries_are_in_the_account_currency", {"currency": "EUR"}),
        ("entries_continue_the_account", {"number": 9, "balance": 6}),
        ("entries_continue_the_account", {"balance": 7}),
        ("entries_belong_to_the_clients_account", {"account_id": 999_999_999}),
        ("entries_belong_to_a_posting", {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
    ],
)
async def test_an_entry_out_of_its_place_is_refused(
    bank: Bank, hand: Hand, rule: str, given: dict[str, Any]
) -> None:
    account = await bank.open(balance=10)
    async with hand.connection.transaction():
        posting = await hand.posting()
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            async with hand.connection.transaction():
                await hand.entry(posting, 1, account, -4, **given)
        assert refusal.value.constraint_name == rule
        await hand.entry(posting, 1, account, -4)
        other = await bank.open()
        await hand.entry(posting, 2, other, 4)
        await hand.move_balance(account, -4)
        await hand.move_balance(other, 4)


async def test_an_entry_of_no_posting_is_refused(bank: Bank, hand: Hand) -> None:
    account = await bank.open(balance=10)
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.entry(uuid4(), 1, account, -4)
    assert refusal.value.constraint_name == "entries_belong_to_a_posting"


async def test_a_posting_never_crosses_clients(bank: Bank, hand: Hand) -> None:
    theirs = await bank.open(caller="other")
    transaction = hand.connection.transaction()
    await transaction.start()
    posting = await hand.posting("bank")
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.entry(posting, 1, theirs, 4)
    assert refusal.value.constraint_name == "entries_belong_to_the_clients_account"
    await transaction.rollback()


async def test_a_balance_cannot_move_without_an_entry(bank: Bank, hand: Hand) -> None:
    account = await bank.open(balance=10)
    for statement in (
        "UPDATE accounts SET posted_minor = posted_minor + 1 WHERE reference = $1",
        "UPDATE accounts SET posted_minor = posted_minor + 1, version = version + 1 WHERE reference = $1",
        "UPDATE accounts SET version = version + 1 WHERE reference = $1",
    ):
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await hand.connection.execute(statement, account)
        assert refusal.value.constraint_name == "accounts_balance_has_its_entry"


async def test_an_account_cannot_be_inserted_with_money_on_it(hand: Hand) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.connection.execute(
            "INSERT INTO accounts (client_id, reference, holder, currency, kind, state, posted_minor, "
            "overdraft_minor, opened_at, updated_at) "
            "VALUES ('bank', 'rich', 'R', 'CZK', 'customer', 'ACTIVE', 5, 0, now(), now())"
        )
    assert refusal.value.constraint_name == "accounts_balance_has_its_entry"


@pytest.mark.parametrize(
    ("reference", "currency", "kind"),
    [
        ("a b", "CZK", "customer"),
        ("..", "CZK", "customer"),
        ("fine", "czk", "customer"),
        ("System:mine", "CZK", "customer"),
        ("plain", "CZK", "system"),
    ],
)
async def test_a_badly_named_account_is_refused(hand: Hand, reference: str, currency: str, kind: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.connection.execute(
            "INSERT INTO accounts (client_id, reference, holder, currency, kind, state, overdraft_minor, "
            "opened_at, updated_at) VALUES ('bank', $1, 'H', $2, $3, 'ACTIVE', $4, now(), now())",
            reference,
            currency,
            kind,
            0 if kind == "customer" else None,
        )
    assert refusal.value.constraint_name == "accounts_are_well_named"


async def test_a_balance_cannot_pass_its_overdraft(bank: Bank, hand: Hand) -> None:
    account, other = await bank.open(balance=10, overdraft_minor=5), await bank.open()
    transaction = hand.connection.transaction()
    await transaction.start()
    posting = await hand.posting()
    await hand.entry(posting, 1, account, -16)
    await hand.entry(posting, 2, other, 16)
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.move_balance(account, -16)
    assert refusal.value.constraint_name == "accounts_balance_is_covered"
    await transaction.rollback()


async def test_held_money_counts_against_the_balance(bank: Bank, hand: Hand) -> None:
    account = await bank.open(balance=10)
    for held, rule in ((11, "accounts_balance_is_covered"), (-1, "accounts_held_is_not_negative")):
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await hand.connection.execute(
                "UPDATE accounts SET held_minor = $2 WHERE reference = $1", account, held
            )
        assert refusal.value.constraint_name == rule


async def test_the_state_machine_holds_in_the_database(bank: Bank, hand: Hand) -> None:
    full, empty = await bank.open(balance=10), await bank.open()
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await hand.connection.execute("UPDATE accounts SET state = 'CLOSED' WHERE reference = $1", full)
    assert refusal.value.constraint_name == "accounts_closed_is_empty"
    await bank.set_state(empty, "CLOSED")
    for state in ("ACTIVE", "FROZEN"):
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await hand.connection.execute("UPDATE accounts SET state = $2 WHERE reference = $1", empty, state)
        assert refusal.value.constraint_name == "accounts_state_machine"


async def test_a_payment_cannot_be_posted_twice(bank: Bank, hand: Hand) -> None:
    payment_id = uuid4()
    insert = (
        "INSERT INTO postings (id, client_id, kind, payment_id, posted_at) "
        "VALUES ($1, 'bank', 'transfer', $2, now())"
    )
    transaction = hand.connection.transaction()
    await transaction.start()
    await hand.connection.execute(insert, uuid4(), payment_id)
    with pytest.raises(asyncpg.UniqueViolationError):
        await hand.connection.execute(insert, uuid4(), payment_id)
    await transaction.rollback()
