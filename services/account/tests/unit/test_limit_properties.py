"""Of limits and usage, whatever the figures: properties that hold for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from account_service.domain.account import Account, AccountKind, AccountState
from account_service.domain.decision import decide
from account_service.domain.hold import CaptureTerms, HoldTerms
from account_service.domain.limits import (
    LimitScope,
    LimitSet,
    Used,
    strictest,
)
from account_service.domain.posting import PostingKind, PostingRequest, Request, VoidRequest
from account_service.domain.rules import DeclineCode
from account_service.domain.usage import BatchUsage
from account_service.domain.windows import Period
from hypothesis import given
from hypothesis import strategies as st

from .limiting import AT, ID, account, held_to

figures = st.none() | st.integers(0, 50)
limit_sets = st.builds(
    LimitSet,
    payment_min=st.none() | st.integers(0, 8),
    payment_max=figures,
    daily_count=st.none() | st.integers(0, 6),
    daily_sum=figures,
    monthly_count=st.none() | st.integers(0, 9),
    monthly_sum=figures,
)
all_scopes = st.fixed_dictionaries(dict.fromkeys(LimitScope, limit_sets))


def breaks_alone(limits: LimitSet, day: Sequence[int], month: Sequence[int], amount: int) -> bool:
    """One set by itself, worked out from the payments and not from figures kept of them."""
    tried: list[tuple[int | None, int]] = [
        (limits.payment_max, amount),
        (limits.daily_count, len(day) + 1),
        (limits.daily_sum, sum(day) + amount),
        (limits.monthly_count, len(month) + 1),
        (limits.monthly_sum, sum(month) + amount),
    ]
    too_small = limits.payment_min is not None and amount < limits.payment_min
    return too_small or any(most is not None and reached > most for most, reached in tried)


@given(all_scopes, st.lists(st.integers(1, 20), max_size=8), st.lists(st.integers(1, 20), max_size=8))
def test_a_payment_passes_all_sets_together_if_it_passes_each_alone(
    sets: Mapping[LimitScope, LimitSet], earlier: list[int], asked: list[int]
) -> None:
    limits = held_to(*sets.items(), used_month=(len(earlier), sum(earlier)))
    usage, passed = BatchUsage.of([limits]), list[int]()
    for amount in asked:
        broken = usage.broken_by(ID, amount)
        alone = [breaks_alone(one, passed, earlier + passed, amount) for one in sets.values()]
        assert (broken is not None) == any(alone)
        if broken is None:
            usage.count(ID, amount, at=AT)
            passed.append(amount)
        else:
            assert broken.figures()["scope"] in {
                scope.value for scope, breaks in zip(sets, alone, strict=True) if breaks
            }
    for limits in usage.to_write():
        assert limits.used[Period.DAY] == Used(len(passed), sum(passed))


@given(all_scopes, st.permutations(list(LimitScope)))
def test_the_order_in_which_sets_are_given_does_not_matter(
    sets: Mapping[LimitScope, LimitSet], order: list[LimitScope]
) -> None:
    assert strictest((scope, sets[scope]) for scope in order) == strictest(sets.items())


@given(all_scopes, st.integers(1, 60), limit_sets)
def test_a_set_more_never_lets_out_what_was_refused_before(
    sets: Mapping[LimitScope, LimitSet], amount: int, more: LimitSet
) -> None:
    fewer = {scope: one for scope, one in sets.items() if scope is not LimitScope.ACCOUNT}
    if held_to(*fewer.items()).broken_by(amount) is not None:
        assert held_to(*fewer.items(), (LimitScope.ACCOUNT, more)).broken_by(amount) is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["transfer", "hold", "capture", "void"]), st.integers(1, 30), st.integers(0, 9)
        ),
        max_size=25,
    )
)
def test_whatever_is_decided_usage_is_what_left_or_may_leave_and_never_above_the_limit(
    steps: list[tuple[str, int, int]],
) -> None:
    """Transfers, holds, captures and voids in one batch, against the entries and holds they come to."""
    requests = list(_requests(steps))
    payer, payee = _an_account(ID, "payer", limited=True), _an_account(ID + 1, "payee")
    limits = held_to(account(daily_sum=100, daily_count=7))
    decision = decide(requests, accounts=[payer, payee], limits=[limits], at=AT, new_id=uuid4)
    left = [p.request.amount_minor for p in decision.postings if p.request.kind is PostingKind.TRANSFER]
    left += [hold.limit_minor if hold.end is None else hold.captured_minor for hold in decision.placed]
    counted = [amount for amount in left if amount]
    [after] = decision.used or [limits]
    assert after.used[Period.DAY] == after.used[Period.MONTH] == Used(len(counted), sum(counted))
    assert sum(counted) <= 100
    assert len(counted) <= 7
    for request, declined in decision.declines:
        if declined.code is DeclineCode.LIMIT_EXCEEDED:
            assert request.kind in {PostingKind.TRANSFER, PostingKind.HOLD}
            assert declined.field == "amount_minor"
            assert declined.figures is not None


def _requests(steps: list[tuple[str, int, int]]) -> Iterator[Request]:
    holds: list[UUID] = []
    for what, amount, which in steps:
        facts: dict[str, Any] = {
            "client_id": "bank",
            "debtor": "payer",
            "creditor": "payee",
            "amount_minor": amount,
            "currency": "CZK",
            "payment_id": uuid4(),
        }
        if what == "hold":
            terms = HoldTerms(
                expires_at=AT + timedelta(hours=1), captured_many_times=which > 4, tolerance_minor=which
            )
            holds.append(facts["payment_id"])
            yield PostingRequest(kind=PostingKind.HOLD, hold=terms, **facts)
        elif what == "transfer":
            yield PostingRequest(kind=PostingKind.TRANSFER, **facts)
        elif holds:
            of = holds[which % len(holds)]
            if what == "void":
                yield VoidRequest("bank", of, "Test", "bank")
            else:
                taken = CaptureTerms(of=of, final=which % 2 == 0)
                yield PostingRequest(kind=PostingKind.CAPTURE, capture=taken, **facts)


def _an_account(id_: int, reference: str, *, limited: bool = False) -> Account:
    facts = (id_, "bank", reference, "CZK", AccountKind.CUSTOMER, AccountState.ACTIVE)
    return Account(*facts, 1_000, 0, 0, 1, limited)


def test_an_account_that_is_not_limited_is_held_to_nothing() -> None:
    payer, payee = _an_account(ID, "payer"), _an_account(ID + 1, "payee")
    requests = list(_requests([("transfer", 500, 0), ("hold", 400, 0)]))
    decision = decide(requests, accounts=[payer, payee], at=AT, new_id=uuid4)
    assert not decision.declines
    assert not decision.used
