"""Posting: what is asked is answered once, in order, and money neither appears nor vanishes."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import pytest
from account_service.domain.outcome import Completed, Outcome
from account_service.domain.posting import PostingKind
from account_service.domain.rules import Declined

from .bank import Bank, name, requested, transfer


def codes(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(one.code if isinstance(one, Declined) else "completed" for one in outcomes)


async def test_a_request_moves_the_money_and_tells_the_payment(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    event = requested(transfer(payer, payee, 30))
    await bank.deliver(event)
    assert (await bank.balance(payer), await bank.balance(payee)) == (70, 30)
    [answer] = await bank.told(event.data.payment_id)
    assert answer["type"] == "florin.posting.completed.v1"
    assert answer["subject"] == str(event.data.payment_id)
    assert (answer["sequence"], answer["causationid"]) == ("1", str(event.id))
    [posting] = await bank.rows("SELECT * FROM postings WHERE payment_id = :id", id=event.data.payment_id)
    assert answer["data"]["posting_id"] == str(posting.id)
    await bank.assert_books_balance()


async def test_a_declined_request_moves_nothing_and_tells_why(bank: Bank) -> None:
    payer, payee = await bank.open(balance=29), await bank.open()
    event = requested(transfer(payer, payee, 30))
    await bank.deliver(event)
    assert (await bank.balance(payer), await bank.balance(payee)) == (29, 0)
    [answer] = await bank.told(event.data.payment_id)
    assert answer["type"] == "florin.posting.declined.v1"
    assert answer["data"] == {
        "payment_id": str(event.data.payment_id),
        "code": "insufficient_funds",
        "field": "amount_minor",
    }


async def test_the_same_event_twice_moves_no_money_twice(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    event = requested(transfer(payer, payee, 30))
    await bank.deliver(event, event)
    await bank.deliver(event)
    assert (await bank.balance(payer), await bank.balance(payee)) == (70, 30)
    assert len(await bank.told(event.data.payment_id)) == 1


async def test_another_event_for_the_same_payment_gets_the_recorded_answer(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    settled, declined = transfer(payer, payee, 30), transfer(payer, payee, 90)
    for _ in range(2):
        await bank.deliver(requested(settled), requested(declined))
    # By now there would be money for the second one; its answer stands.
    body = {"amount_minor": 500, "currency": "CZK"}
    paid_in = await bank.send("POST", f"/v1/accounts/{payer}/deposits", body)
    assert paid_in.status_code == 201
    await bank.deliver(requested(settled), requested(declined))
    assert (await bank.balance(payer), await bank.balance(payee)) == (570, 30)
    for request in (settled, declined):
        told = await bank.told(request.payment_id)
        assert len(told) == 3
        assert len({str(answer["data"]) for answer in told}) == 1


async def test_both_events_for_one_payment_at_once_move_it_once(bank: Bank) -> None:
    payer, payee = await bank.open(balance=1000), await bank.open()
    request = transfer(payer, payee, 30)
    await asyncio.gather(
        *(bank.another_processor().process([bank.frame([requested(request)])]) for _ in range(10))
    )
    assert (await bank.balance(payer), await bank.balance(payee)) == (970, 30)
    assert len({str(answer["data"]) for answer in await bank.told(request.payment_id)}) == 1


async def test_a_decided_payment_that_comes_with_other_content_is_parked(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    request = transfer(payer, payee, 30)
    await bank.deliver(requested(request))
    altered = requested(transfer(payer, payee, 31, payment_id=request.payment_id))
    good = requested(transfer(payer, payee, 1))
    await bank.deliver(altered, good)
    assert (await bank.balance(payer), await bank.balance(payee)) == (69, 31)
    [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=altered.id)
    assert parked.reason == "payment_already_decided"


@pytest.mark.parametrize(
    "given",
    [
        {"kind": PostingKind.REVERSAL, "reverses": None},
        {"kind": PostingKind.TRANSFER, "reverses": uuid4()},
    ],
)
async def test_a_request_that_contradicts_itself_is_parked(bank: Bank, given: dict[str, object]) -> None:
    event = requested(transfer(name(), name()))
    broken = event.data.model_copy(update={key: getattr(v, "value", v) for key, v in given.items()})
    bad = type(event)(**{f: getattr(event, f) for f in event.__slots__} | {"data": broken})
    await bank.deliver(bad)
    assert await bank.rows("SELECT 1 FROM parked WHERE event_id = :id", id=event.id)
    assert not await bank.told(event.data.payment_id)


@pytest.mark.parametrize("text", ["no\0body", "x" * 255, "Žluťoučký", "'; DROP TABLE entries; --", ""])
async def test_whatever_a_party_is_called_is_answered_or_parked(bank: Bank, text: str) -> None:
    event = requested(transfer(text, name()))
    await bank.deliver(event)
    told = await bank.told(event.data.payment_id)
    parked = await bank.rows("SELECT 1 FROM parked WHERE event_id = :id", id=event.id)
    assert (told[0]["data"]["code"] == "debtor_not_found") if told else parked


async def test_a_reversal_moves_the_money_back_and_keeps_its_link(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    original = transfer(payer, payee, 30)
    back = transfer(payee, payer, 30, kind=PostingKind.REVERSAL, reverses=original.payment_id)
    await bank.deliver(requested(original), requested(back))
    assert (await bank.balance(payer), await bank.balance(payee)) == (100, 0)
    [posting] = await bank.rows("SELECT * FROM postings WHERE payment_id = :id", id=back.payment_id)
    assert (posting.kind, posting.reverses) == ("reversal", original.payment_id)


async def test_each_request_of_a_batch_sees_those_before_it(bank: Bank) -> None:
    a, b, c = await bank.open(balance=10), await bank.open(), await bank.open()
    outcomes = await bank.post(transfer(b, c, 10), transfer(a, b, 10), transfer(b, c, 10), transfer(b, c, 1))
    assert [codes([one]).most_common()[0][0] for one in outcomes] == [
        "insufficient_funds",
        "completed",
        "completed",
        "insufficient_funds",
    ]
    await bank.assert_books_balance()


async def test_500_debits_of_1_at_once_on_a_balance_of_100_complete_exactly_100(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()

    async def debit() -> Outcome:
        [outcome] = await bank.post(transfer(payer, payee, 1))
        return outcome

    waiting = [debit() for _ in range(500)]
    outcomes: list[Outcome] = []
    while waiting:  # no more at once than there are connections: the others would time out at the pool
        taken, waiting = waiting[:20], waiting[20:]
        outcomes += await asyncio.gather(*taken)
    assert codes(outcomes) == {"completed": 100, "insufficient_funds": 400}
    assert (await bank.balance(payer), await bank.balance(payee)) == (0, 100)
    await bank.assert_books_balance()


async def test_opposite_transfers_by_64_workers_meet_no_deadlock(bank: Bank) -> None:
    accounts = [await bank.open(balance=10_000) for _ in range(4)]
    gate = asyncio.Semaphore(20)  # connections
    dice = random.Random(7)

    async def worker(number: int) -> None:
        for _ in range(4):
            order = accounts if number % 2 else accounts[::-1]
            batch = [transfer(order[i], order[i + 1], dice.randint(1, 5)) for i in range(3)]
            async with gate:
                assert all(isinstance(one, Completed) for one in await bank.post(*batch))

    await asyncio.gather(*(worker(number) for number in range(64)))
    assert sum([await bank.balance(account) for account in accounts]) == 40_000
    await bank.assert_books_balance()


async def test_a_reader_never_sees_the_sum_move(bank: Bank) -> None:
    accounts = [await bank.open(balance=1_000, currency="JPY") for _ in range(6)]
    done = asyncio.Event()
    sums = Counter[int]()

    async def move() -> None:
        dice = random.Random(3)
        for _ in range(60):
            pairs = [dice.sample(accounts, 2) for _ in range(10)]
            await bank.post(*(transfer(a, b, dice.randint(1, 20), currency="JPY") for a, b in pairs))

    async def read() -> None:
        while not done.is_set():
            page = await bank.send("GET", "/v1/accounts?currency=JPY&limit=200", key=None)
            sums[sum(item["posted_minor"] for item in page.json()["items"])] += 1

    reading = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(*(move() for _ in range(3)))
    done.set()
    await asyncio.gather(*reading)
    assert set(sums) == {6_000}
    assert sums[6_000] > 5, "the reader must have looked while money moved"


async def test_frozen_and_closed_accounts_take_no_part(bank: Bank) -> None:
    active, frozen, closed = await bank.open(balance=50), await bank.open(balance=50), await bank.open()
    await bank.set_state(frozen, "FROZEN")
    await bank.set_state(closed, "CLOSED")
    outcomes = await bank.post(
        transfer(frozen, active), transfer(active, frozen), transfer(closed, active), transfer(active, closed)
    )
    assert [(one.code, one.field) for one in outcomes if isinstance(one, Declined)] == [
        ("debtor_frozen", "debtor"),
        ("creditor_frozen", "creditor"),
        ("debtor_closed", "debtor"),
        ("creditor_closed", "creditor"),
    ]
    await bank.set_state(frozen, "ACTIVE")
    assert codes(list(await bank.post(transfer(frozen, active)))) == {"completed": 1}


async def test_accounts_of_another_client_are_not_there(bank: Bank) -> None:
    mine, theirs = await bank.open(balance=50), await bank.open(balance=50, caller="other")
    outcomes = await bank.post(transfer(mine, theirs), transfer(theirs, mine))
    assert codes(list(outcomes)) == {"creditor_not_found": 1, "debtor_not_found": 1}


@pytest.mark.parametrize("currency", ["CZK", "HUF"])
async def test_a_payment_cannot_name_a_system_account(bank: Bank, currency: str) -> None:
    """Whether or not it has been opened by then: the answer must not tell."""
    account = await bank.open(balance=50)
    source = f"system:opening-balances:{currency}"
    outcomes = await bank.post(
        transfer(source, account, currency=currency), transfer(account, source.upper(), currency=currency)
    )
    assert [(one.code, one.field) for one in outcomes if isinstance(one, Declined)] == [
        ("system_account_not_allowed", "debtor"),
        ("system_account_not_allowed", "creditor"),
    ]


async def test_entries_are_numbered_in_the_order_of_their_times(bank: Bank) -> None:
    hot, others = await bank.open(balance=100_000), [await bank.open() for _ in range(5)]

    async def pay() -> None:
        for other in others:
            await bank.post(*(transfer(hot, other) for _ in range(5)))

    await asyncio.gather(*(pay() for _ in range(5)))
    rows = await bank.rows(
        "SELECT e.entry_number, e.posted_at FROM entries e JOIN accounts a ON a.id = e.account_id "
        "WHERE a.reference = :hot ORDER BY e.entry_number",
        hot=hot,
    )
    assert [row.entry_number for row in rows] == list(range(1, 127))
    assert [row.posted_at for row in rows] == sorted(row.posted_at for row in rows)
