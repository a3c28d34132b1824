"""A payment is reversed after its payee has spent the money."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from account_service.domain.outcome import Completed
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.rules import Declined

from .bank import Bank, requested, transfer


def reversal(payer: str, payee: str, amount_minor: int, **given: Any) -> PostingRequest:
    facts = {"reverses": uuid4()} | given
    return transfer(payee, payer, amount_minor, kind=PostingKind.REVERSAL, **facts)


async def set_policy(bank: Bank, policy: str, *, reason: str = "Terms of 2027") -> Any:
    body = {"policy": policy, "reason": reason}
    answer = await bank.send("PUT", "/v1/reversal-policy", body, key=None, caller="cashier")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def legs(bank: Bank, posting_id: UUID) -> list[tuple[str, int]]:
    rows = await bank.rows(
        "SELECT a.reference, e.amount_minor FROM entries e JOIN accounts a ON a.id = e.account_id "
        "WHERE e.posting_id = :id ORDER BY e.leg",
        id=posting_id,
    )
    return [(row.reference, row.amount_minor) for row in rows]


async def receivable(bank: Bank, currency: str = "CZK") -> int:
    rows = await bank.rows(
        "SELECT posted_minor FROM accounts WHERE client_id = 'bank' AND reference = :reference",
        reference=f"system:receivable:{currency}",
    )
    return rows[0].posted_minor if rows else 0


@pytest.fixture(autouse=True)
async def refusing(bank: Bank) -> None:
    """Every test begins with the policy that is in force unless another is set."""
    await set_policy(bank, "refuse")


async def test_a_reversal_is_refused_when_the_payee_has_spent_it(bank: Bank) -> None:
    payer, payee = await bank.open(), await bank.open(balance=30)
    request = reversal(payer, payee, 31)
    await bank.deliver(requested(request))
    [told] = await bank.told(request.payment_id)
    assert told["data"] == {
        "payment_id": str(request.payment_id),
        "code": "payee_has_spent_it",
        "field": "amount_minor",
        "figures": {"asked": 31, "available_minor": 30},
    }
    assert (await bank.balance(payer), await bank.balance(payee)) == (0, 30)
    [outcome] = await bank.post(reversal(payer, payee, 30))
    assert isinstance(outcome, Completed)


@pytest.mark.parametrize(("has", "overdraft", "paid"), [(30, 0, 30), (0, 0, 0), (10, 15, 25), (99, 0, 99)])
async def test_a_receivable_account_pays_what_the_payee_has_not(
    bank: Bank, has: int, overdraft: int, paid: int
) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open(balance=has, overdraft_minor=overdraft)
    before = await receivable(bank)
    [outcome] = await bank.post(reversal(payer, payee, 100))
    assert isinstance(outcome, Completed)
    owed = ("system:receivable:CZK", paid - 100)
    expected = [(payee, -paid), (payer, 100), owed] if paid else [owed, (payer, 100)]
    assert await legs(bank, outcome.posting_id) == expected
    assert (await bank.balance(payer), await bank.balance(payee)) == (100, has - paid)
    assert await receivable(bank) == before + paid - 100
    [row] = await bank.rows(
        "SELECT a.reference FROM postings p JOIN accounts a ON a.id = p.owed_by WHERE p.id = :id",
        id=outcome.posting_id,
    )
    assert row.reference == payee
    await bank.assert_books_balance()


async def test_a_payee_who_has_it_pays_all_of_it(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open(balance=100)
    [outcome] = await bank.post(reversal(payer, payee, 100))
    assert isinstance(outcome, Completed)
    assert await legs(bank, outcome.posting_id) == [(payee, -100), (payer, 100)]


async def test_money_that_is_held_of_the_payee_is_not_there_to_give_back(bank: Bank) -> None:
    from datetime import UTC, datetime, timedelta

    from account_service.domain.hold import HoldTerms

    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open(balance=100)
    terms = HoldTerms(expires_at=datetime.now(UTC) + timedelta(hours=1))
    await bank.post(transfer(payee, payer, 80, kind=PostingKind.HOLD, hold=terms))
    [outcome] = await bank.post(reversal(payer, payee, 50))
    assert isinstance(outcome, Completed)
    assert (await legs(bank, outcome.posting_id))[0] == (payee, -20)
    told = (await bank.send("GET", f"/v1/accounts/{payee}", key=None)).json()
    assert (told["posted_minor"], told["held_minor"], told["available_minor"]) == (80, 80, 0)


async def test_reversals_in_one_batch_see_what_those_before_them_left(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(currency="PLN"), await bank.open(balance=50, currency="PLN")
    requests = [reversal(payer, payee, 40, currency="PLN") for _ in range(3)]
    outcomes = await bank.post(*requests)
    assert all(isinstance(outcome, Completed) for outcome in outcomes)
    assert (await bank.balance(payer), await bank.balance(payee)) == (120, 0)
    assert await receivable(bank, "PLN") == -70
    assert list(await bank.post(*requests)) == list(outcomes), "asked again, nothing moves"
    assert await receivable(bank, "PLN") == -70
    await bank.assert_books_balance()


async def test_first_reversals_of_a_currency_at_once_open_one_receivable_account(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    pairs = [(await bank.open(currency="NOK"), await bank.open(currency="NOK")) for _ in range(8)]
    await asyncio.gather(*(bank.post(reversal(*pair, 5, currency="NOK")) for pair in pairs))
    assert await receivable(bank, "NOK") == -40
    await bank.assert_books_balance()


async def test_the_receivable_account_lends_to_reversals_of_its_own_client_alone(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(caller="other"), await bank.open(caller="other")
    [foreign] = await bank.post(reversal(payer, payee, 5, client_id="other"))
    [transferred] = await bank.post(transfer(await bank.open(), await bank.open(), 5))
    assert isinstance(foreign, Declined)
    assert isinstance(transferred, Declined)
    assert (foreign.code, transferred.code) == ("payee_has_spent_it", "insufficient_funds")


@pytest.mark.parametrize(("paid_out", "asked", "paid"), [(0, 40, 30), (0, 30, 30), (50, 100, 0)])
async def test_a_payee_who_is_closing_draws_no_overdraft_to_give_back(
    bank: Bank, paid_out: int, asked: int, paid: int
) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open(balance=30, overdraft_minor=50)
    if paid_out:
        await bank.post(transfer(payee, await bank.open(), paid_out))
    await bank.set_state(payee, "CLOSING")
    before = await receivable(bank)
    [outcome] = await bank.post(reversal(payer, payee, asked))
    assert isinstance(outcome, Completed)
    assert (await bank.balance(payer), await bank.balance(payee)) == (asked, 30 - paid_out - paid)
    assert await receivable(bank) == before - (asked - paid)


async def test_a_payee_who_is_closing_is_told_what_it_may_give_back(bank: Bank) -> None:
    payer, payee = await bank.open(), await bank.open(balance=30, overdraft_minor=50)
    await bank.set_state(payee, "CLOSING")
    [outcome] = await bank.post(reversal(payer, payee, 31))
    assert isinstance(outcome, Declined)
    assert outcome.figures == {"asked": 31, "available_minor": 30}


async def test_a_frozen_payee_owes_nothing_new(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open()
    await bank.set_state(payee, "FROZEN")
    [outcome] = await bank.post(reversal(payer, payee, 5))
    assert isinstance(outcome, Declined)
    assert outcome.code == "debtor_frozen"


async def test_no_payment_names_the_receivable_account(bank: Bank) -> None:
    await set_policy(bank, "receivable")
    payer, payee = await bank.open(), await bank.open()
    await bank.post(reversal(payer, payee, 5))
    for request in (
        transfer("system:receivable:CZK", payer, 5),
        transfer(payer, "system:receivable:CZK", 5),
        reversal(payer, "system:receivable:CZK", 5),
    ):
        [outcome] = await bank.post(request)
        assert isinstance(outcome, Declined)
        assert outcome.code == "system_account_not_allowed"


async def test_the_policy_is_kept_with_reason_and_author(bank: Bank) -> None:
    await set_policy(bank, "receivable", reason="Card scheme asks for it")
    await set_policy(bank, "receivable", reason="Once more")
    told = (await bank.send("GET", "/v1/reversal-policy", key=None)).json()
    assert (told["policy"], told["since"]["reason"]) == ("receivable", "Card scheme asks for it")
    await set_policy(bank, "refuse", reason="No longer")
    page = (await bank.send("GET", "/v1/reversal-policy/changes?limit=1", key=None)).json()
    rest = await bank.send("GET", f"/v1/reversal-policy/changes?cursor={page['next_cursor']}", key=None)
    changes = [*page["items"], *rest.json()["items"]]
    assert [(one["policy"], one["reason"], one["author"]) for one in changes[:2]] == [
        ("refuse", "No longer", "client:bank"),
        ("receivable", "Card scheme asks for it", "client:bank"),
    ]
    other = (await bank.send("GET", "/v1/reversal-policy", key=None, caller="other")).json()
    assert other == {"policy": "refuse", "since": None}


@pytest.mark.parametrize(
    ("caller", "body", "status"),
    [
        ("bank", {"policy": "receivable", "reason": "x"}, 403),
        ("cashier", {"policy": "receivable"}, 422),
        ("cashier", {"policy": "lend", "reason": "x"}, 422),
        ("cashier", {"policy": "receivable", "reason": ""}, 422),
        ("cashier", {"policy": "receivable", "reason": "x", "client_id": "other"}, 422),
    ],
)
async def test_a_bad_policy_changes_nothing(bank: Bank, caller: str, body: Any, status: int) -> None:
    answer = await bank.send("PUT", "/v1/reversal-policy", body, key=None, caller=caller)
    assert answer.status_code == status
    assert (await bank.send("GET", "/v1/reversal-policy", key=None)).json()["policy"] == "refuse"
