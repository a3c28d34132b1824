"""A hold is given up by its client or by its time, once, and the rest of its money is free again."""

from datetime import UTC, datetime, timedelta

import pytest
from account_service.domain.outcome import Stands

from .bank import Bank, capture, hold, requested, void, void_requested
from .holding import words

# Long ago, so that what other tests hold by the real clock is not due yet.
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


async def test_a_void_gives_everything_back_and_is_told_once(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60)
    await bank.deliver(requested(authorised), void_requested(void(authorised, "Out of stock")))
    assert await bank.figures(payer) == (100, 0, 100)
    _, ended = await bank.told(authorised.payment_id)
    facts = [ended["data"][name] for name in ("end", "captured_minor", "released_minor", "reason", "author")]
    assert facts == ["voided", 0, 60, "Out of stock", "bank"]
    assert await words(bank, capture(authorised, 1)) == ["hold_voided"]
    # Asked again, with whatever words, what stands is told as it was.
    await bank.deliver(void_requested(void(authorised, "Another reason")))
    *_, again = await bank.told(authorised.payment_id)
    assert again["data"] == ended["data"]
    assert await bank.figures(payer) == (100, 0, 100)


async def test_a_void_after_a_part_was_captured_keeps_what_was_captured(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60, captured_many_times=True)
    await bank.deliver(requested(authorised), requested(capture(authorised, 20)))
    await bank.deliver(void_requested(void(authorised)))
    assert await bank.figures(payer) == (80, 0, 80)
    *_, ended = await bank.told(authorised.payment_id)
    assert [ended["data"][name] for name in ("end", "captured_minor", "released_minor")] == ["voided", 20, 40]


async def test_a_void_of_what_was_never_held_is_parked(bank: Bank) -> None:
    payer, payee = await bank.open(balance=10), await bank.open()
    theirs, unknown = hold(payer, payee, 5), void_requested(void(hold(payer, payee)))
    await bank.post(theirs)
    foreign = void_requested(void(theirs, client_id="other"))
    await bank.deliver(unknown, foreign)
    for event in (unknown, foreign):
        [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=event.id)
        assert parked.reason == "hold_not_found"
    assert await bank.figures(payer) == (10, 5, 5)


async def test_a_void_of_a_refused_hold_does_nothing(bank: Bank) -> None:
    payer, payee = await bank.open(), await bank.open()
    refused = hold(payer, payee, 5)
    assert await words(bank, refused) == ["insufficient_funds"]
    [outcome] = await bank.post(void(refused))
    assert isinstance(outcome, Stands)


async def test_what_is_not_captured_in_time_is_given_back(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    bank.clock.at = NOON
    soon, later = (
        hold(payer, payee, 30, expires_at=NOON + timedelta(minutes=1)),
        hold(payer, payee, 30, expires_at=NOON + timedelta(minutes=2)),
    )
    await bank.deliver(requested(soon), requested(later))
    bank.clock.at = NOON + timedelta(seconds=59)
    assert await bank.expire() == 0
    bank.clock.at = NOON + timedelta(minutes=1)
    assert await bank.expire() == 1
    assert await bank.expire() == 0
    assert await bank.figures(payer) == (100, 30, 70)
    _, ended = await bank.told(soon.payment_id)
    facts = [ended["data"][name] for name in ("end", "captured_minor", "released_minor", "reason", "author")]
    assert facts == ["expired", 0, 30, "not captured in time", "florin"]
    assert await words(bank, capture(soon, 1), void(soon)) == ["hold_expired", "expired"]
    await bank.assert_books_balance()


async def test_no_capture_passes_after_the_time_even_before_the_worker_came(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    bank.clock.at = NOON
    authorised = hold(payer, payee, 30, expires_at=NOON + timedelta(minutes=1))
    late = hold(payer, payee, 30, expires_at=NOON)
    assert await words(bank, authorised, late) == ["held", "hold_expired"]
    bank.clock.at = NOON + timedelta(minutes=1)
    assert await words(bank, capture(authorised, 1)) == ["hold_expired"]
    assert await bank.figures(payer) == (100, 30, 70)
    await bank.expire()
    assert await bank.figures(payer) == (100, 0, 100)


@pytest.mark.parametrize("given", [{"reason": ""}, {"author": ""}, {"reason": "no\0body"}])
async def test_a_void_without_words_that_can_be_kept_is_parked(bank: Bank, given: dict[str, str]) -> None:
    payer, payee = await bank.open(balance=10), await bank.open()
    authorised = hold(payer, payee, 10)
    await bank.post(authorised)
    event = void_requested(void(authorised, **given))
    await bank.deliver(event)
    [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=event.id)
    assert parked.reason == "invalid_data"
