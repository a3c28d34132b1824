"""Posting on a condition: it is met when the money moves, or nothing does and the actual figures are told."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from account_service.domain.hold import Conditions
from account_service.domain.outcome import Completed, Held
from account_service.domain.rules import DeclineCode, Declined

from .bank import Bank, capture, hold, requested, transfer


@pytest.mark.parametrize(("off", "passes"), [(-1, False), (0, True), (1, False)])
async def test_the_version_must_be_the_one_that_was_seen(bank: Bank, off: int, passes: bool) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    await bank.post(transfer(payer, payee, 1))
    [outcome] = await bank.post(transfer(payer, payee, 1, conditions=Conditions(version=2 + off)))
    figures = {"asked": 2 + off, "version": 2}
    declined = Declined(DeclineCode.CONDITION_NOT_MET, "conditions.version", figures)
    assert isinstance(outcome, Completed) if passes else outcome == declined


@pytest.mark.parametrize(("least", "passes"), [(74, True), (75, True), (76, False)])
async def test_so_much_must_be_available_with_overdraft_and_holds_counted(
    bank: Bank, least: int, passes: bool
) -> None:
    payer, payee = await bank.open(balance=100, overdraft_minor=5), await bank.open()
    await bank.post(hold(payer, payee, 30))
    [outcome] = await bank.post(
        transfer(payer, payee, 1, conditions=Conditions(available_at_least_minor=least))
    )
    figures = {"asked": least, "available_minor": 75}
    declined = Declined(DeclineCode.CONDITION_NOT_MET, "conditions.available_at_least_minor", figures)
    assert isinstance(outcome, Completed) if passes else outcome == declined


async def test_the_actual_figures_are_told_alike_however_often_it_is_asked(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    asked = transfer(payer, payee, 1, conditions=Conditions(version=7))
    await bank.deliver(requested(asked))
    await bank.post(*(transfer(payer, payee, 1) for _ in range(6)))
    await bank.deliver(requested(asked))
    told = [answer["data"] for answer in await bank.told(asked.payment_id)]
    assert (
        told
        == [
            {
                "payment_id": str(asked.payment_id),
                "code": "condition_not_met",
                "field": "conditions.version",
                "figures": {"asked": 7, "version": 1},
            }
        ]
        * 2
    )
    assert await bank.balance(payer) == 94


async def test_of_many_payments_on_one_version_one_passes(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    outcomes = await asyncio.gather(
        *(bank.post(transfer(payer, payee, 1, conditions=Conditions(version=1))) for _ in range(15))
    )
    assert Counter(isinstance(one, Completed) for [one] in outcomes) == {True: 1, False: 14}


async def test_holds_and_captures_take_conditions_too(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    met, unmet = Conditions(available_at_least_minor=100), Conditions(available_at_least_minor=101)
    authorised = hold(payer, payee, 60, conditions=met)
    refused, placed = await bank.post(hold(payer, payee, 60, conditions=unmet), authorised)
    assert isinstance(refused, Declined)
    assert isinstance(placed, Held)
    taken = capture(authorised, 10, conditions=Conditions(version=1))
    [outcome] = await bank.post(taken)
    assert isinstance(outcome, Completed)


@pytest.mark.parametrize("kind", ["transfer", "hold", "declined"])
async def test_another_condition_under_the_same_id_is_parked(bank: Bank, kind: str) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    conditions = Conditions(version=9 if kind == "declined" else 1)
    ask = hold if kind == "hold" else transfer
    first = ask(payer, payee, 10, conditions=conditions)
    await bank.deliver(requested(first), requested(first))
    for other in (None, Conditions(version=2), Conditions(version=1, available_at_least_minor=1)):
        altered = requested(replace(first, conditions=other))
        await bank.deliver(altered)
        [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=altered.id)
        assert parked.reason == "payment_already_decided"
