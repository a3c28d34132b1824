"""Batches of payments are screened once each, whatever is delivered twice, late or broken."""

from collections.abc import Callable
from typing import Any

from contracts.messages import FraudAssessed, PaymentInitiated
from messaging.event import Event, new_event

MakePayment = Callable[..., Event[PaymentInitiated]]


async def test_each_payment_of_a_batch_is_decided_kept_and_answered(
    fraud: Any, make_payment: MakePayment
) -> None:
    events = [
        make_payment(amount_minor=999_999),
        make_payment(amount_minor=1_000_000),
        make_payment(amount_minor=100_000_000),
        make_payment(creditor="DENY-LISTED"),
    ]
    await fraud.deliver(*events)
    kept = [await fraud.decision(event) for event in events]
    assert [row.decision for row in kept] == ["approve", "review", "decline", "decline"]
    assert [row.score for row in kept] == [0, 40, 100, 100]
    for event, row in zip(events, kept, strict=True):
        assert row.event_id == event.id
        assert row.rules_version == 1
        (told,) = await fraud.told(event.data.payment_id)
        answer = FraudAssessed.model_validate(told["data"])
        assert (answer.decision, answer.score) == (row.decision, row.score)
        assert told["type"] == "florin.fraud.assessed.v1"
        assert (told["subject"], told["sequence"]) == (str(event.data.payment_id), "1")
        assert told["causationid"] == str(event.id)
    assert (await fraud.told(events[2].data.payment_id))[0]["data"]["reasons"] == [
        "large-amount:amount",
        "huge-amount:amount",
    ]


async def test_default_rules_let_a_banks_standing_orders_and_one_hot_payer_pass(
    fraud: Any, make_payment: MakePayment
) -> None:
    orders = [make_payment(currency="CZK", amount_minor=15_000_00) for _ in range(50)]
    hot = [make_payment(debtor="hot", amount_minor=1) for _ in range(2_000)]
    await fraud.deliver(*orders, *hot)
    decided = await fraud.rows(
        "SELECT decision, count(*) AS n FROM decisions WHERE currency = 'CZK' OR debtor = 'hot' GROUP BY 1"
    )
    assert [(row.decision, row.n) for row in decided] == [("approve", 2_050)]
    assert await fraud.rows("SELECT 1 FROM velocity_counters WHERE debtor = 'hot'") == []


async def test_every_fact_of_the_payment_is_kept_with_the_decision(
    fraud: Any, make_payment: MakePayment
) -> None:
    event = make_payment(reference="Invoice 7 — Łódź", currency="KWD", amount_minor=3_000_000)
    await fraud.deliver(event)
    row = await fraud.decision(event)
    kept = PaymentInitiated.model_validate(row._mapping)
    assert kept == event.data


async def test_second_delivery_is_not_screened_again(fraud: Any, make_payment: MakePayment) -> None:
    event = make_payment(amount_minor=1_000_000)
    await fraud.deliver(event)
    await fraud.deliver(event, event)
    await fraud.deliver_concurrently([[event]] * 5)
    await fraud.decision(event)
    assert len(await fraud.told(event.data.payment_id)) == 1


async def test_same_payment_under_another_event_is_answered_once(
    fraud: Any, make_payment: MakePayment
) -> None:
    """The inbox does not know the second event, the decision does."""
    first = make_payment(amount_minor=1_000_000)
    second = new_event(first.data, subject=first.subject, sequence=1, at=first.occurred_at)
    third = new_event(first.data, subject=first.subject, sequence=1, at=first.occurred_at)
    await fraud.deliver(first, second)
    await fraud.deliver(third)
    assert (await fraud.decision(first)).event_id == first.id
    assert len(await fraud.told(first.data.payment_id)) == 1
    assert not {second.id, third.id} & set(await fraud.parked())


async def test_payment_that_comes_back_with_other_facts_is_parked_and_the_rest_goes_on(
    fraud: Any, make_payment: MakePayment
) -> None:
    first = make_payment()
    await fraud.deliver(first)
    false = make_payment(payment_id=first.data.payment_id, debtor=first.data.debtor, amount_minor=1)
    good = [make_payment() for _ in range(20)]
    await fraud.deliver(*good[:10], false, *good[10:])
    assert (await fraud.parked())[false.id] == "screened_otherwise"
    assert (await fraud.decision(first)).amount_minor == first.data.amount_minor
    for event in good:
        assert (await fraud.decision(event)).decision == "approve"


async def test_payments_that_cannot_be_kept_are_parked_and_the_rest_goes_on(
    fraud: Any, make_payment: MakePayment
) -> None:
    unknown = make_payment(currency="XXX")
    nul = make_payment(debtor="a\0b")
    good = [make_payment() for _ in range(20)]
    await fraud.deliver(*good[:7], unknown, nul, *good[7:])
    parked = await fraud.parked()
    assert (parked[unknown.id], parked[nul.id]) == ("unknown_currency", "invalid_data")
    for event in good:
        assert (await fraud.decision(event)).decision == "approve"
