"""Capture, void and expiry meet in real transactions side by side: exactly one of them wins, each time."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from account_service.consumers.expiry import HoldExpiry
from account_service.domain.posting import PostingRequest
from testkit.waiting import eventually

from .bank import Bank, capture, hold, requested, transfer, void, void_requested

RACES, PAYERS, CONNECTIONS = 100, 10, 18
# Long ago, so that what other tests hold by the real clock is not due yet.
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


async def placed(bank: Bank, **terms: Any) -> list[PostingRequest]:
    """A hundred holds of 10, ten on each of ten accounts that have just so much."""
    payee = await bank.open()
    payers = [await bank.open(balance=10 * RACES // PAYERS) for _ in range(PAYERS)]
    holds = [hold(payers[n % PAYERS], payee, 10, **terms) for n in range(RACES)]
    await bank.deliver(*(requested(one) for one in holds))
    return holds


async def all_at_once(work: Iterable[Awaitable[None]]) -> None:
    """As many at a time as there are connections, in an order of their own."""
    gate, shuffled = asyncio.Semaphore(CONNECTIONS), list(work)
    random.Random(5).shuffle(shuffled)

    async def through(one: Awaitable[None]) -> None:
        async with gate:
            await one

    await asyncio.gather(*(through(one) for one in shuffled))


async def alone(bank: Bank, event: Any) -> None:
    """In a consumer process, a frame and a transaction of its own."""
    await bank.another_processor().process([bank.frame([event])])


async def ends(bank: Bank, holds: Iterable[PostingRequest]) -> Counter[str]:
    """How the holds ended; each has been told in one way only, and nobody was left without an answer."""
    assert not await bank.rows("SELECT 1 FROM parked")
    counted = Counter[str]()
    for one in holds:
        told = [event for event in await bank.told(one.payment_id) if "hold.ended" in event["type"]]
        assert len({str(event["data"]) for event in told}) == 1
        [row] = await bank.rows("SELECT * FROM holds WHERE payment_id = :id", id=one.payment_id)
        assert told[0]["data"]["end"] == row.state.lower()
        counted[row.state] += 1
    await bank.assert_books_balance()
    return counted


async def codes(bank: Bank, payments: Iterable[PostingRequest]) -> Counter[str]:
    counted = Counter[str]()
    for one in payments:
        [answer] = await bank.told(one.payment_id)
        counted[answer["data"].get("code", "completed")] += 1
    return counted


async def test_of_100_captures_against_voids_each_hold_is_resolved_once(bank: Bank) -> None:
    holds = await placed(bank)
    captures = [capture(one, 10) for one in holds]
    await all_at_once(
        [
            *(alone(bank, requested(one)) for one in captures),
            *(alone(bank, void_requested(void(one))) for one in holds),
        ]
    )
    ended = await ends(bank, holds)
    assert ended["CAPTURED"] + ended["VOIDED"] == RACES
    assert min(ended["CAPTURED"], ended["VOIDED"]) > 0, "both must have had their chance"
    told = await codes(bank, captures)
    assert (told["completed"], told["hold_voided"]) == (ended["CAPTURED"], ended["VOIDED"])
    assert await bank.balance(holds[0].creditor) == 10 * ended["CAPTURED"]


async def test_of_100_voids_against_expiry_each_hold_is_resolved_once(bank: Bank) -> None:
    bank.clock.at = NOON
    holds = await placed(bank, expires_at=NOON + timedelta(seconds=1))
    bank.clock.at = NOON + timedelta(seconds=1)
    expired = Counter[str]()

    async def work() -> None:
        worker = HoldExpiry(transaction=bank.database.transaction, clock=bank.clock)
        ended = await worker.round()
        expired["EXPIRED"] += ended  # not around the await: another worker counts meanwhile

    await all_at_once(
        [*(alone(bank, void_requested(void(one))) for one in holds), *(work() for _ in range(10))]
    )
    while count := await bank.expire():  # what the workers left to those who had it locked
        expired["EXPIRED"] += count
    ended = await ends(bank, holds)
    assert ended["VOIDED"] + ended["EXPIRED"] == RACES
    assert ended["EXPIRED"] == expired["EXPIRED"]
    assert min(ended["VOIDED"], ended["EXPIRED"]) > 0, "both must have had their chance"
    assert await bank.balance(holds[0].creditor) == 0


async def test_of_two_captures_above_the_rest_one_passes_100_times(bank: Bank) -> None:
    holds = await placed(bank, captured_many_times=True)
    captures = [capture(one, 6) for one in holds for _ in range(2)]
    await all_at_once(alone(bank, requested(one)) for one in captures)
    assert await codes(bank, captures) == {"completed": RACES, "capture_exceeds_hold": RACES}
    assert await bank.balance(holds[0].creditor) == 6 * RACES
    for one in holds[:PAYERS]:
        assert await bank.figures(one.debtor) == (40, 40, 0)
    await bank.assert_books_balance()


async def test_captures_against_expiry_at_the_very_instant_resolve_each_hold_once(bank: Bank) -> None:
    """With the real clock running over the expiry."""
    holds = await placed(bank, expires_at=datetime.now(UTC) + timedelta(seconds=1.5))
    captures = [capture(one, 10) for one in holds]
    worker = HoldExpiry(transaction=bank.database.transaction, clock=bank.clock)
    running = asyncio.create_task(worker.run())
    await all_at_once(alone(bank, requested(one)) for one in captures)

    async def none_is_open() -> bool:
        still_open = "SELECT 1 FROM holds WHERE state = 'OPEN' AND creditor = :payee"
        return not await bank.rows(still_open, payee=holds[0].creditor)

    await eventually(none_is_open)
    worker.stop()
    await running
    ended = await ends(bank, holds)
    assert (await codes(bank, captures))["completed"] == ended["CAPTURED"] == RACES - ended["EXPIRED"]


async def test_voids_and_postings_of_one_batch_take_their_locks_in_one_order(bank: Bank) -> None:
    """Each batch pays from one account and gives up a hold on the other: two rounds of locks would meet."""
    low, high, payee = await bank.open(balance=100), await bank.open(balance=100), await bank.open()
    for _ in range(20):
        on_low, on_high = hold(low, payee, 1), hold(high, payee, 1)
        await bank.post(on_low, on_high)

        async def receive(payer: str, given_up: PostingRequest) -> None:
            frames = [
                bank.frame([requested(transfer(payer, payee))]),
                bank.frame([void_requested(void(given_up))]),
            ]
            await bank.another_processor().process(frames)

        await asyncio.gather(receive(high, on_low), receive(low, on_high))
    assert await bank.figures(low) == await bank.figures(high) == (80, 0, 80)


async def test_a_hold_ends_within_a_second_of_its_time_also_on_a_busy_account(bank: Bank) -> None:
    payer, payee = await bank.open(balance=10_000), await bank.open()
    expires_at = datetime.now(UTC) + timedelta(seconds=1)
    authorised = hold(payer, payee, 100, expires_at=expires_at)
    await bank.post(authorised)
    worker = HoldExpiry(transaction=bank.database.transaction, clock=bank.clock)
    running = asyncio.create_task(worker.run())
    busy = True

    async def pay() -> None:
        while busy:
            await bank.post(transfer(payer, payee))

    paying = [asyncio.create_task(pay()) for _ in range(4)]

    async def has_ended() -> Any:
        return await bank.rows(
            "SELECT * FROM holds WHERE payment_id = :id AND state = 'EXPIRED'", id=authorised.payment_id
        )

    [row] = await eventually(has_ended)
    busy = False
    worker.stop()
    await asyncio.gather(running, *paying)
    # It waits its turn behind others who do the same; how long that takes is the machine's affair.
    assert timedelta(0) <= row.ended_at - expires_at < timedelta(seconds=5)
