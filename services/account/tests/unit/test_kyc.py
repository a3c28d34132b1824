"""A level is reached by a request and its approval, and in no other way."""

import itertools

import pytest
from account_service.domain.kyc import NEXT, IllegalKycMove, Kyc, KycLevel, KycState
from hypothesis import given
from hypothesis import strategies as st

ASKED = (KycLevel.BASIC, KycLevel.FULL)
moves = st.lists(st.tuples(st.sampled_from(["submit", "approve", "reject"]), st.sampled_from(ASKED)))


def test_a_request_that_is_approved_gives_the_level() -> None:
    kyc = Kyc().submit(KycLevel.BASIC)
    assert kyc == Kyc(KycLevel.NONE, KycState.SUBMITTED, KycLevel.BASIC)
    assert kyc.approve(KycLevel.BASIC) == Kyc(KycLevel.BASIC, KycState.APPROVED, KycLevel.BASIC)


def test_a_request_that_is_rejected_leaves_the_level_and_may_be_made_again() -> None:
    kyc = Kyc().submit(KycLevel.BASIC).approve(KycLevel.BASIC).submit(KycLevel.FULL).reject(KycLevel.FULL)
    assert kyc == Kyc(KycLevel.BASIC, KycState.REJECTED, KycLevel.FULL)
    assert kyc.submit(KycLevel.FULL).approve(KycLevel.FULL).level is KycLevel.FULL


@pytest.mark.parametrize("level", ASKED)
@pytest.mark.parametrize("move", ["approve", "reject"])
def test_nothing_is_decided_that_was_not_asked_for(move: str, level: KycLevel) -> None:
    with pytest.raises(IllegalKycMove):
        getattr(Kyc(), move)(level)
    other = KycLevel.FULL if level is KycLevel.BASIC else KycLevel.BASIC
    with pytest.raises(IllegalKycMove):
        getattr(Kyc().submit(other), move)(level)


def test_a_level_that_is_held_is_not_asked_for() -> None:
    full = Kyc().submit(KycLevel.FULL).approve(KycLevel.FULL)
    for level in KycLevel:
        with pytest.raises(IllegalKycMove):
            full.submit(level)
    with pytest.raises(IllegalKycMove):
        Kyc().submit(KycLevel.NONE)


def test_one_request_waits_at_a_time() -> None:
    with pytest.raises(IllegalKycMove):
        Kyc().submit(KycLevel.BASIC).submit(KycLevel.FULL)


@given(moves)
def test_a_level_is_reached_by_approval_alone(made: list[tuple[str, KycLevel]]) -> None:
    kyc = Kyc()
    for move, level in made:
        before = kyc
        try:
            kyc = getattr(kyc, move)(level)
        except IllegalKycMove:
            continue
        assert kyc == before or kyc.state in NEXT[before.state]
        assert getattr(kyc, move)(level) == kyc, "the same move again changes nothing"
        if kyc.level is not before.level:
            assert (move, kyc.level) == ("approve", before.asked)


def test_every_move_of_the_table_is_reachable() -> None:
    seen = set()
    for made in itertools.product(["submit", "approve", "reject"], repeat=4):
        kyc = Kyc()
        for step, move in enumerate(made):
            before = kyc
            level = ASKED[min(step // 2, 1)] if move == "submit" else (kyc.asked or KycLevel.BASIC)
            try:
                kyc = getattr(kyc, move)(level)
            except IllegalKycMove:
                break
            seen.add((before.state, kyc.state))
    assert {(state, after) for state, afters in NEXT.items() for after in afters} <= seen
