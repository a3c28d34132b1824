"""Rules refuse what cannot be evaluated, and survive being written and read."""

from typing import Any

import pytest
from fraud_service.domain.rule_document import read_rule_set, write_rule_set
from fraud_service.domain.rules import InvalidRule
from hypothesis import given
from hypothesis import strategies as st

AMOUNT: dict[str, Any] = {
    "id": "a", "kind": "amount", "enabled": True, "action": "review", "score": 40,
    "at_or_over_minor": {"EUR": 100},
}  # fmt: skip
COUNT: dict[str, Any] = {
    "id": "c", "kind": "velocity_count", "enabled": True, "action": "review", "score": 30,
    "window_s": 60, "max_count": 3,
}  # fmt: skip
SUM: dict[str, Any] = {
    "id": "s", "kind": "velocity_sum", "enabled": True, "action": "decline", "score": 30,
    "window_s": 3600, "currency": "EUR", "max_sum_minor": 100,
}  # fmt: skip
DENY: dict[str, Any] = {
    "id": "d", "kind": "deny_list", "enabled": False, "action": "decline", "score": 100,
    "entries": [{"client_id": None, "account": "X"}, {"client_id": "bank", "account": "X"}],
}  # fmt: skip


def test_rule_set_survives_being_written_and_read() -> None:
    documents = [AMOUNT, COUNT, SUM, DENY]
    written = write_rule_set(read_rule_set(documents))
    assert written == documents
    assert read_rule_set(written) == read_rule_set(documents)


amounts = st.dictionaries(st.sampled_from(["EUR", "JPY", "KWD"]), st.integers(1, 10**14), min_size=1)
entries = st.sets(st.tuples(st.none() | st.just("bank"), st.sampled_from("ABC")))
sound_rules = st.one_of(
    amounts.map(lambda thresholds: AMOUNT | {"at_or_over_minor": thresholds}),
    st.integers(1, 44_640).map(lambda minutes: COUNT | {"window_s": 60 * minutes}),
    st.integers(1, 10**9).map(lambda most: COUNT | {"max_count": most, "enabled": False}),
    st.integers(0, 100).map(lambda score: SUM | {"score": score}),
    entries.map(lambda pairs: DENY | {"entries": [{"client_id": c, "account": a} for c, a in pairs]}),
)


@given(st.lists(sound_rules, max_size=8))
def test_every_sound_rule_set_survives(documents: list[dict[str, Any]]) -> None:
    numbered = [document | {"id": f"r{n}"} for n, document in enumerate(documents)]
    rule_set = read_rule_set(numbered)
    assert read_rule_set(write_rule_set(rule_set)) == rule_set
    assert [rule.id for rule in rule_set.rules] == [document["id"] for document in numbered]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (AMOUNT | {"id": ""}, "rules.0.id"),
        (AMOUNT | {"id": "Upper"}, "rules.0.id"),
        (AMOUNT | {"id": "a\n"}, "rules.0.id"),
        (AMOUNT | {"score": 101}, "rules.0.score"),
        (AMOUNT | {"score": True}, "rules.0.score"),
        (AMOUNT | {"action": "approve"}, "rules.0.action"),
        (AMOUNT | {"kind": "nothing"}, "rules.0"),
        (AMOUNT | {"at_or_over_minor": {}}, "rules.0.at_or_over_minor"),
        (AMOUNT | {"at_or_over_minor": {"XXX": 1}}, "rules.0.at_or_over_minor.XXX"),
        (AMOUNT | {"at_or_over_minor": {"EUR": 0}}, "rules.0.at_or_over_minor.EUR"),
        (AMOUNT | {"at_or_over_minor": {"EUR": 10**15}}, "rules.0.at_or_over_minor.EUR"),
        (COUNT | {"window_s": 59}, "rules.0.window_s"),
        (COUNT | {"window_s": 61}, "rules.0.window_s"),
        (COUNT | {"window_s": 32 * 86_400}, "rules.0.window_s"),
        (COUNT | {"max_count": 0}, "rules.0.max_count"),
        (SUM | {"currency": "eur"}, "rules.0.currency"),
        (SUM | {"max_sum_minor": 2**53}, "rules.0.max_sum_minor"),
        (DENY | {"entries": [{"client_id": None, "account": ""}]}, "rules.0.entries.account"),
        (DENY | {"entries": [{"client_id": None, "account": "a\0"}]}, "rules.0.entries.account"),
        (DENY | {"entries": [{"client_id": "", "account": "a"}]}, "rules.0.entries.client_id"),
        (DENY | {"entries": [{"account": "a"}]}, "rules.0"),
        ({"kind": "amount"}, "rules.0"),
    ],
)
def test_rule_that_cannot_be_evaluated_is_refused_by_name(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        read_rule_set([document])
    assert refused.value.field == field


def test_rule_ids_are_unique_in_a_set() -> None:
    with pytest.raises(InvalidRule) as refused:
        read_rule_set([AMOUNT, COUNT | {"id": "a"}])
    assert refused.value.field == "rules.1.id"


def test_a_set_is_bounded_in_rules_windows_and_entries() -> None:
    with pytest.raises(InvalidRule):
        read_rule_set([AMOUNT | {"id": f"r{n}"} for n in range(101)])
    with pytest.raises(InvalidRule):
        read_rule_set([COUNT | {"id": f"r{n}", "window_s": 60 * (n + 1)} for n in range(11)])
    with pytest.raises(InvalidRule):
        read_rule_set([DENY | {"entries": [{"client_id": None, "account": str(n)} for n in range(10_001)]}])


def test_only_windows_of_enabled_rules_are_counted() -> None:
    rule_set = read_rule_set([COUNT, COUNT | {"id": "off", "enabled": False, "window_s": 120}, SUM])
    assert rule_set.windows() == {60, 3600}
