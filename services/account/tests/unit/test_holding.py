"""What a batch of holds, captures, voids and expiries comes to, for any order and any amounts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from account_service.domain.account import Account, AccountKind, AccountState
from account_service.domain.decision import Decision, HoldNotFound, decide
from account_service.domain.hold import CaptureTerms, Hold, HoldState, HoldTerms
from account_service.domain.outcome import Ended, Outcome
from account_service.domain.posting import (
    Expiry,
    InvalidPostingRequest,
    PostingKind,
    PostingRequest,
    Request,
    VoidRequest,
)
from account_service.domain.rules import Declined
from contracts.money import MAX_AMOUNT_MINOR
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOLDS = [UUID(int=n) for n in range(1, 4)]


def account(reference: str, posted_minor: int) -> Account:
    return Account(
        ord(reference),
        "bank",
        reference,
        "CZK",
        AccountKind.CUSTOMER,
        AccountState.ACTIVE,
        posted_minor,
        0,
        20,
        0,
    )


def hold(payment: UUID, amount: int, *, many: bool, tolerance: int, lasts: int) -> PostingRequest:
    terms = HoldTerms(
        expires_at=AT + timedelta(seconds=lasts), captured_many_times=many, tolerance_minor=tolerance
    )
    return PostingRequest(
        kind=PostingKind.HOLD,
        client_id="bank",
        debtor="a",
        creditor="b",
        amount_minor=amount,
        currency="CZK",
        payment_id=payment,
        hold=terms,
    )


def capture(of: UUID, amount: int, *, final: bool) -> PostingRequest:
    return PostingRequest(
        kind=PostingKind.CAPTURE,
        client_id="bank",
        debtor="a",
        creditor="b",
        amount_minor=amount,
        currency="CZK",
        payment_id=uuid4(),
        capture=CaptureTerms(of=of, final=final),
    )


holds = st.tuples(
    *(
        st.builds(
            lambda amount, many, tolerance, payment=payment: hold(
                payment, amount, many=many, tolerance=tolerance, lasts=60
            ),
            st.integers(1, 60),
            st.booleans(),
            st.integers(0, 9),
        )
        for payment in HOLDS
    )
)
resolving = st.lists(
    st.one_of(
        st.builds(
            lambda of, amount, final: capture(of, amount, final=final),
            st.sampled_from(HOLDS),
            st.integers(1, 70),
            st.booleans(),
        ),
        st.builds(lambda of: VoidRequest("bank", of, "r", "a"), st.sampled_from(HOLDS)),
        st.builds(lambda of: Expiry("bank", of), st.sampled_from(HOLDS)),
    ),
    max_size=25,
)


def decided(
    requests: list[Request], accounts: list[Account], standing: list[Hold], at: datetime = AT
) -> Decision:
    return decide(requests, accounts=accounts, holds=standing, at=at, new_id=uuid4)


def shape(outcome: Outcome) -> object:
    if isinstance(outcome, Declined):
        return outcome
    return outcome.end.state if isinstance(outcome, Ended) else type(outcome)


@given(holds, resolving, st.booleans())
def test_a_batch_comes_to_the_same_as_its_requests_one_by_one(
    placing: tuple[PostingRequest, ...], asked: list[Request], late: bool
) -> None:
    books = [account("a", 100), account("b", 0)]
    placed = decided(list(placing), books, [])
    accounts = {one.reference: one for one in (*books, *placed.accounts)}
    standing = {one.payment_id: one for one in placed.placed}
    asked = [one for one in asked if not isinstance(one, VoidRequest) or one.payment_id in standing]
    at = AT + timedelta(seconds=60 if late else 1)
    together = decided(asked, list(accounts.values()), list(standing.values()), at)
    alone: list[object] = []
    for one in asked:
        decision = decided([one], list(accounts.values()), list(standing.values()), at)
        alone += [shape(outcome) for outcome in decision.outcomes]
        accounts |= {changed.reference: changed for changed in decision.accounts}
        standing |= {changed.payment_id: changed for changed in decision.changed}
        assert accounts["a"].held_minor == sum(kept.remaining_minor for kept in standing.values())
        assert (accounts["a"].available_minor or 0) >= 0
    assert [shape(outcome) for outcome in together.outcomes] == alone
    assert {one.reference: one for one in together.accounts} == {
        one.reference: accounts[one.reference] for one in together.accounts
    }
    assert all(standing[one.payment_id] == one for one in together.changed)
    captured = sum(kept.captured_minor for kept in standing.values())
    assert accounts["b"].posted_minor == captured == 100 - accounts["a"].posted_minor
    if late:
        assert all(kept.state is not HoldState.CAPTURED for kept in standing.values())


def test_a_void_of_nothing_is_an_error_and_an_expiry_of_nothing_is_not() -> None:
    with pytest.raises(HoldNotFound):
        decided([VoidRequest("bank", HOLDS[0], "r", "a")], [], [])
    assert not decided([Expiry("bank", HOLDS[0])], [], []).changed


@pytest.mark.parametrize(("amount", "tolerance"), [(1, -1), (1, MAX_AMOUNT_MINOR), (MAX_AMOUNT_MINOR, 1)])
def test_a_tolerance_beyond_all_amounts_cannot_be_asked_for(amount: int, tolerance: int) -> None:
    with pytest.raises(InvalidPostingRequest):
        hold(HOLDS[0], amount, many=False, tolerance=tolerance, lasts=60)
