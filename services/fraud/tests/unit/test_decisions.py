"""The decision table: the strongest action decides, scores add up to a cap, reasons keep the rules' order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from contracts.money import Money
from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.rule_document import read_rule_set
from fraud_service.domain.rules import PublishedRules
from fraud_service.domain.screening import Assessment, Decision, assess, screen
from fraud_service.domain.velocity import Counters, bucket_of, ranges_needed
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def payment(**given: Any) -> ScreenedPayment:
    facts: dict[str, Any] = {
        "payment_id": uuid4(), "client_id": "bank", "kind": PaymentKind.TRANSFER, "debtor": "D",
        "creditor": "C", "amount": Money(100, "EUR"), "reference": None, "created_at": NOON,
    }  # fmt: skip
    return ScreenedPayment(**(facts | given))


def published(*documents: dict[str, Any]) -> PublishedRules:
    shared = {"enabled": True, "action": "review", "score": 30}
    return PublishedRules(7, read_rule_set([shared | document for document in documents]))


def screened(rules: PublishedRules, *payments: ScreenedPayment) -> list[Assessment]:
    return screen(rules, payments, Counters(rules.rule_set.windows()))


def amount(rule_id: str, at_or_over: int, **more: Any) -> dict[str, Any]:
    return {"id": rule_id, "kind": "amount", "at_or_over_minor": {"EUR": at_or_over}} | more


@pytest.mark.parametrize(
    ("rules", "decision", "score", "reasons"),
    [
        ([], "approve", 0, ()),
        ([amount("a", 101)], "approve", 0, ()),
        ([amount("a", 100)], "review", 30, ("a:amount",)),
        ([amount("a", 100, enabled=False)], "approve", 0, ()),
        ([amount("a", 100, action="decline")], "decline", 30, ("a:amount",)),
        ([amount("z", 1), amount("a", 1, action="decline")], "decline", 60, ("z:amount", "a:amount")),
        ([amount("a", 1, action="decline"), amount("b", 1)], "decline", 60, ("a:amount", "b:amount")),
        ([amount("a", 1, score=70), amount("b", 1, score=70)], "review", 100, ("a:amount", "b:amount")),
        ([amount("a", 1, score=0)], "review", 0, ("a:amount",)),
    ],
)
def test_decision_table(
    rules: list[dict[str, Any]], decision: str, score: int, reasons: tuple[str, ...]
) -> None:
    (assessment,) = screened(published(*rules), payment())
    assert (assessment.decision, assessment.score, assessment.reasons) == (decision, score, reasons)
    assert assessment.rules_version == 7


def test_amount_rule_speaks_only_of_the_currencies_it_names() -> None:
    (assessment,) = screened(published(amount("a", 1)), payment(amount=Money(10**12, "JPY")))
    assert assessment.decision is Decision.APPROVE


@pytest.mark.parametrize(
    ("entry", "facts", "party"),
    [
        ((None, "D"), {}, "debtor"),
        ((None, "C"), {}, "creditor"),
        (("bank", "C"), {}, "creditor"),
        (("other", "C"), {}, None),
        (("other", "C"), {"client_id": "other"}, "creditor"),
        ((None, "d"), {}, None),
    ],
)
def test_deny_list_knows_the_account_of_the_client_it_names(
    entry: tuple[str | None, str], facts: dict[str, Any], party: str | None
) -> None:
    deny = {"id": "deny", "kind": "deny_list", "entries": [{"client_id": entry[0], "account": entry[1]}]}
    (assessment,) = screened(published(deny), payment(**facts))
    assert [hit.party for hit in assessment.fired] == ([party] if party else [])


def test_the_payment_that_passes_the_limit_is_the_one_that_fires() -> None:
    rules = published({"id": "n", "kind": "velocity_count", "window_s": 60, "max_count": 2})
    decisions = [one.decision for one in screened(rules, *(payment() for _ in range(4)))]
    assert decisions == ["approve", "approve", "review", "review"]


def test_sum_rule_counts_its_own_currency_only() -> None:
    rules = published(
        {"id": "s", "kind": "velocity_sum", "window_s": 60, "currency": "EUR", "max_sum_minor": 250}
    )
    batch = [payment(), payment(amount=Money(10**9, "USD")), payment(), payment()]
    assessments = screened(rules, *batch)
    assert [one.velocity for one in assessments] == [{"s": 100}, {}, {"s": 200}, {"s": 300}]
    assert [one.decision for one in assessments] == ["approve", "approve", "approve", "review"]


@pytest.mark.parametrize(
    ("first_s", "gap_s", "expected"),
    [
        (0, 3600, "approve"),
        (0, 3599, "review"),
        (59, 3541, "approve"),
        (59, 3540, "review"),
        (59, 0, "review"),
    ],
)
def test_window_never_reaches_further_back_than_it_says(first_s: int, gap_s: int, expected: str) -> None:
    rules = published({"id": "n", "kind": "velocity_count", "window_s": 3600, "max_count": 1})
    first, second = (payment(created_at=NOON + timedelta(seconds=s)) for s in (first_s, first_s + gap_s))
    assert screened(rules, first, second)[1].decision == expected


def test_payment_that_is_screened_late_does_not_count_what_came_after_it() -> None:
    rules = published({"id": "n", "kind": "velocity_count", "window_s": 60, "max_count": 1})
    later = [payment(created_at=NOON + timedelta(seconds=2)) for _ in range(5)]
    assert screened(rules, *later, payment())[-1].decision == "approve"


def test_reversal_is_approved_without_rules_or_counting() -> None:
    rules = published(
        amount("a", 1, action="decline"),
        {"id": "n", "kind": "velocity_count", "window_s": 60, "max_count": 1},
    )
    counters = Counters(rules.rule_set.windows())
    (assessment,) = screen(rules, [payment(kind=PaymentKind.REVERSAL)], counters)
    assert (assessment.decision, assessment.score, assessment.reasons) == ("approve", 0, ("reversal",))
    assert not counters.added
    assert ranges_needed([payment(kind=PaymentKind.REVERSAL)], {60}) == []


moments = st.integers(-(10**6), 10**6).map(lambda s: NOON + timedelta(milliseconds=100 * s))


@given(st.lists(st.tuples(moments, st.sampled_from("AB"), st.integers(1, 10**6)), max_size=40), st.data())
def test_counted_in_batches_or_one_by_one_the_measure_is_the_same(
    sent: list[tuple[datetime, str, int]], data: st.DataObject
) -> None:
    """What is stored between two batches and loaded again counts as if there had been one batch."""
    rules = published(
        {"id": "n", "kind": "velocity_count", "window_s": 600, "max_count": 5},
        {"id": "s", "kind": "velocity_sum", "window_s": 3600, "currency": "EUR", "max_sum_minor": 10**6},
    )
    batch = [payment(created_at=at, debtor=who, amount=Money(minor, "EUR")) for at, who, minor in sent]
    cut = data.draw(st.integers(0, len(batch)))
    whole = screened(rules, *batch)
    first = Counters(rules.rule_set.windows())
    before = screen(rules, batch[:cut], first)
    second = Counters(rules.rule_set.windows())
    needed = ranges_needed(batch[cut:], second.windows)
    second.load({
        key: tally for key, tally in first.added.items()
        if any((r.client_id, r.debtor, r.window_s) == (key.client_id, key.debtor, key.window_s)
               and r.first <= key.bucket <= r.last for r in needed)
    })  # fmt: skip
    assert before + screen(rules, batch[cut:], second) == whole


@given(st.lists(st.tuples(moments, st.integers(1, 100)), max_size=40))
def test_measure_lies_between_the_exact_window_and_one_sixtieth_less(
    sent: list[tuple[datetime, int]],
) -> None:
    """Against the plain definition: all within 59/60 of the window counts, nothing beyond the window."""
    rules = published(
        {"id": "s", "kind": "velocity_sum", "window_s": 600, "currency": "EUR", "max_sum_minor": 1}
    )
    batch = [payment(created_at=at, amount=Money(minor, "EUR")) for at, minor in sent]
    for position, assessment in enumerate(screened(rules, *batch)):
        at = assessment.payment.created_at
        earlier = [(at - when, minor) for when, minor in sent[: position + 1]]
        least = sum(minor for age, minor in earlier if timedelta(0) <= age < timedelta(seconds=590))
        most = sum(minor for age, minor in earlier if timedelta(seconds=-10) < age < timedelta(seconds=600))
        assert least <= assessment.velocity["s"] <= most


@given(moments, st.integers(1, 44_640))
def test_a_bucket_holds_its_own_length(at: datetime, minutes: int) -> None:
    bucket_s = minutes
    bucket = bucket_of(at, 60 * minutes)
    start = datetime.fromtimestamp(bucket * bucket_s, UTC)
    assert start <= at < start + timedelta(seconds=bucket_s)


def test_a_decision_can_be_made_again_from_what_was_kept() -> None:
    rules = published(amount("a", 50), {"id": "n", "kind": "velocity_count", "window_s": 60, "max_count": 1})
    for kept in screened(rules, *(payment() for _ in range(3))):
        assert assess(7, rules.rule_set.enabled(), kept.payment, kept.velocity) == kept


def test_payment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        payment(created_at=datetime(2026, 11, 20))  # noqa: DTZ001
