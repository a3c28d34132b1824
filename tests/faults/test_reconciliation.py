"""Reconciliation finds every payment that is not as its client meant it and was told: each planted here."""

from dataclasses import replace
from pathlib import Path

import pytest

from .journal import ANSWERS, INTENTS, Answer, Intent, Journal, Outcome, read_answers, read_intents
from .reconciliation import RAW, Findings, Payment, reconcile
from .watching import Books, Tail

INTENT = Intent("key-1", "A", "B", 100)
TOLD = Answer("key-1", Outcome.OK, 202, sent_at=1.0, at=1.1, payment_id="p-1")
DOUBT = replace(TOLD, outcome=Outcome.UNKNOWN, status=0, payment_id=None, error="reset", sent_at=0.5, at=0.6)
NO = replace(TOLD, outcome=Outcome.FAILED, status=422, payment_id=None, error="invalid")
PAYMENT = Payment(
    id="p-1",
    key="key-1",
    debtor="A",
    creditor="B",
    amount_minor=100,
    currency="EUR",
    reverses=None,
    status="SETTLED",
    reason=None,
    postings=1,
    legs=2,
    from_debtor_minor=-100,
    to_creditor_minor=100,
)
REJECTED = replace(
    PAYMENT,
    status="REJECTED",
    reason="insufficient_funds",
    postings=0,
    legs=0,
    from_debtor_minor=0,
    to_creditor_minor=0,
)
MOVED = {"A": -100, "B": 100}
NOTHING_MOVED: dict[str, int] = {}


def _compare(
    *payments: Payment,
    intent: Intent = INTENT,
    answers: tuple[Answer, ...] = (TOLD,),
    moved: dict[str, int] = MOVED,
) -> Findings:
    return reconcile({intent.key: intent}, answers, payments, moved=moved)


def _kinds(findings: Findings) -> set[str]:
    kinds = ("lost", "duplicated", "wrong", "unresolved")
    return {kind for kind in kinds if getattr(findings, kind)}


def test_what_came_out_as_meant_is_all_well() -> None:
    findings = _compare(PAYMENT)
    assert _kinds(findings) == set()
    assert (findings.payments, findings.operations, findings.ok) == (1, 1, 1)


def test_a_retry_after_doubt_is_counted_as_resolved() -> None:
    findings = _compare(PAYMENT, answers=(DOUBT, TOLD))
    assert _kinds(findings) == set()
    assert (findings.unknown, findings.resolved, findings.ok) == (1, 1, 1)


def test_accepted_and_gone_is_lost() -> None:
    assert _kinds(_compare(moved=NOTHING_MOVED)) == {"lost"}


def test_accepted_and_never_ended_is_lost() -> None:
    waiting = replace(PAYMENT, status="PENDING", postings=0, legs=0, from_debtor_minor=0, to_creditor_minor=0)
    assert _kinds(_compare(waiting, moved=NOTHING_MOVED)) == {"lost"}


@pytest.mark.parametrize(
    "payments",
    [
        pytest.param((PAYMENT, replace(PAYMENT, id="p-2")), id="two payments under one key"),
        pytest.param((replace(PAYMENT, postings=2, legs=4),), id="posted twice"),
    ],
)
def test_done_twice_is_duplicated(payments: tuple[Payment, ...]) -> None:
    assert "duplicated" in _kinds(_compare(*payments))


def test_one_key_answered_with_two_payments_is_duplicated() -> None:
    findings = _compare(PAYMENT, answers=(TOLD, replace(TOLD, payment_id="p-2")))
    assert "duplicated" in _kinds(findings)


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param(replace(PAYMENT, amount_minor=101), id="amount"),
        pytest.param(replace(PAYMENT, debtor="C"), id="debtor"),
        pytest.param(replace(PAYMENT, currency="JPY"), id="currency"),
        pytest.param(replace(PAYMENT, reverses="p-0"), id="reverses"),
        pytest.param(replace(PAYMENT, postings=0, legs=0), id="settled, not posted"),
        pytest.param(replace(PAYMENT, to_creditor_minor=99), id="less arrived"),
        pytest.param(replace(PAYMENT, legs=3), id="a leg too many"),
        pytest.param(replace(PAYMENT, id="p-2"), id="another id than told"),
        pytest.param(REJECTED, id="rejected"),
        pytest.param(replace(PAYMENT, status="REJECTED"), id="rejected, yet posted"),
    ],
)
def test_another_effect_than_meant_is_wrong(payment: Payment) -> None:
    assert "wrong" in _kinds(_compare(payment))


def test_money_that_moved_otherwise_is_wrong() -> None:
    assert _kinds(_compare(PAYMENT, moved={"A": -100, "B": 99, "C": 1})) == {"wrong"}


def test_settled_although_it_had_to_be_rejected_is_wrong() -> None:
    intent = replace(INTENT, expect=("REJECTED",), reason="insufficient_funds")
    assert _kinds(_compare(REJECTED, intent=intent, moved=NOTHING_MOVED)) == set()
    assert _kinds(_compare(PAYMENT, intent=intent)) == {"wrong"}
    other = replace(REJECTED, reason="debtor_frozen")
    assert _kinds(_compare(other, intent=intent, moved=NOTHING_MOVED)) == {"wrong"}


def test_another_end_than_told_is_wrong() -> None:
    told = replace(TOLD, told="REJECTED")
    intent = replace(INTENT, expect=("SETTLED", "REJECTED"))
    assert _kinds(_compare(PAYMENT, intent=intent, answers=(told,))) == {"wrong"}


def test_refused_and_done_all_the_same_is_wrong() -> None:
    intent = replace(INTENT, expect=("REFUSED",))
    assert _kinds(_compare(intent=intent, answers=(NO,), moved=NOTHING_MOVED)) == set()
    assert _kinds(_compare(PAYMENT, intent=intent, answers=(NO,))) == {"wrong"}


def test_refused_although_it_was_good_is_wrong() -> None:
    assert _kinds(_compare(answers=(NO,), moved=NOTHING_MOVED)) == {"wrong"}


def test_a_payment_that_nobody_asked_for_is_wrong() -> None:
    assert _kinds(_compare(PAYMENT, replace(PAYMENT, key="key-2"))) == {"wrong"}


def test_a_fault_that_judges_by_itself_is_passed_over() -> None:
    raw = replace(PAYMENT, key=f"{RAW}race", debtor="C", creditor="D")
    assert _kinds(_compare(PAYMENT, raw, moved={**MOVED, "C": -100, "D": 100})) == set()


def test_what_never_got_a_definite_answer_is_told() -> None:
    assert _kinds(_compare(answers=(DOUBT,), moved=NOTHING_MOVED)) == {"unresolved"}


def test_the_journal_gives_back_what_was_written_and_passes_over_a_line_cut_off(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.intend(INTENT)
        journal.answered(DOUBT, TOLD)
        # Nothing is closed or flushed yet: a process killed here has written all this.
        with (tmp_path / INTENTS).open("ab") as file:
            file.write(b'{"key": "cut o')
        assert {key: intent.amount_minor for key, intent in read_intents(tmp_path).items()} == {"key-1": 100}
        assert list(read_answers(tmp_path)) == [DOUBT, TOLD]


def test_the_tail_times_a_request_from_its_first_sending(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    with Journal(tmp_path) as journal:
        journal.answered(DOUBT)
        tail.read()
        assert tail.errors_between(0, 1) == ["reset"]
        journal.answered(replace(TOLD, replayed=True))
        tail.read()
    assert tail.p99_ms(since=0, until=2) == 600.0
    assert tail.first_success_s(0.7) == pytest.approx(0.4)
    assert tail.carried_out_unanswered(0, 2) == ["key-1"]
    assert (tmp_path / ANSWERS).stat().st_size > 0


def test_a_snapshot_that_does_not_add_up_is_kept() -> None:
    books = Books("unused")
    books.look_at([{"currency": "EUR", "total": 0, "accounts": 2, "past_limit": 0}])
    assert books.wrong == []
    books.look_at([{"currency": "EUR", "total": -1, "accounts": 2, "past_limit": 1}])
    assert len(books.wrong) == 2
