"""What a batch of postings comes to, for any accounts and any requests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from account_service.domain.account import Account, AccountKind, AccountState
from account_service.domain.decision import Decision, PaymentAlreadyDecided, Recorded, decide
from account_service.domain.outcome import Completed, Held, Outcome
from account_service.domain.posting import InvalidPostingRequest, PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode, Declined
from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLIENT = "bank"


def account(reference: str, posted_minor: int = 0, **facts: object) -> Account:
    standing = {
        "id": abs(hash(reference)),
        "client_id": CLIENT,
        "reference": reference,
        "currency": "CZK",
        "kind": AccountKind.CUSTOMER,
        "state": AccountState.ACTIVE,
        "posted_minor": posted_minor,
        "held_minor": 0,
        "overdraft_minor": 0,
        "version": 0,
    } | facts
    return Account(**standing)  # type: ignore[arg-type]


def transfer(debtor: str, creditor: str, amount_minor: int, **facts: object) -> PostingRequest:
    asked = {
        "kind": PostingKind.TRANSFER,
        "client_id": CLIENT,
        "currency": "CZK",
        "payment_id": uuid4(),
    } | facts
    return PostingRequest(debtor=debtor, creditor=creditor, amount_minor=amount_minor, **asked)  # type: ignore[arg-type]


def decided(
    requests: Sequence[PostingRequest], accounts: Sequence[Account], recorded: Sequence[Recorded] = ()
) -> Decision:
    return decide(requests, accounts=accounts, recorded=recorded, at=AT, new_id=uuid4)


def only(request: PostingRequest, *accounts: Account) -> Outcome:
    [outcome] = decided([request], accounts).outcomes
    return outcome


NAMES = "abcde"
amounts = st.one_of(st.integers(1, 200), st.sampled_from([MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR - 1]))
accounts_strategy = st.fixed_dictionaries(
    {
        name: st.builds(
            lambda name, state, overdraft, held, spare, currency: account(
                name,
                spare + held - overdraft,
                state=state,
                overdraft_minor=overdraft,
                held_minor=held,
                currency=currency,
            ),
            st.just(name),
            st.sampled_from([AccountState.ACTIVE] * 5 + [AccountState.FROZEN, AccountState.CLOSED]),
            st.integers(0, 100),
            st.integers(0, 50),
            st.one_of(st.integers(0, 500), st.just(MAX_BALANCE_MINOR - 200)),
            st.sampled_from(["CZK"] * 5 + ["EUR"]),
        )
        for name in NAMES
    }
)
requests_strategy = st.lists(
    st.builds(
        lambda debtor, creditor, amount, currency, payment: transfer(
            debtor, creditor, amount, currency=currency, payment_id=payment
        ),
        st.sampled_from([*NAMES, "absent", "system:settlement:CZK"]),
        st.sampled_from([*NAMES, "absent", "system:settlement:CZK"]),
        amounts,
        st.sampled_from(["CZK"] * 5 + ["EUR"]),
        st.uuids(version=4),
    ),
    max_size=40,
)


@given(accounts_strategy, requests_strategy)
def test_money_is_neither_made_nor_lost_and_no_limit_is_passed(
    accounts: dict[str, Account], requests: list[PostingRequest]
) -> None:
    decision = decided(requests, list(accounts.values()))
    after = accounts | {one.reference: one for one in decision.accounts}
    for currency in ("CZK", "EUR"):
        total = sum(one.posted_minor for one in accounts.values() if one.currency == currency)
        assert total == sum(one.posted_minor for one in after.values() if one.currency == currency)
    for one in decision.accounts:
        assert one.available_minor is not None
        assert one.available_minor >= 0
        assert one.posted_minor + (one.overdraft_minor or 0) <= MAX_BALANCE_MINOR
        assert one.state is AccountState.ACTIVE
    assert len(decision.outcomes) == len(requests)
    completed = [one for one in decision.outcomes if isinstance(one, Completed)]
    assert [one.posting_id for one in completed] == [posting.id for posting in decision.postings]
    assert len(decision.declines) + len(decision.postings) == len(requests)


@given(accounts_strategy, requests_strategy)
def test_entries_continue_each_account_one_by_one(
    accounts: dict[str, Account], requests: list[PostingRequest]
) -> None:
    decision = decided(requests, list(accounts.values()))
    standing = {one.id: (one.version, one.posted_minor) for one in accounts.values()}
    for posting in decision.postings:
        for entry in posting.entries:
            version, balance = standing[entry.account_id]
            assert entry.entry_number == version + 1
            assert entry.balance_after_minor == balance + entry.amount_minor
            standing[entry.account_id] = entry.entry_number, entry.balance_after_minor
    for one in decision.accounts:
        assert standing[one.id] == (one.version, one.posted_minor)


@given(accounts_strategy, requests_strategy)
def test_a_batch_comes_to_the_same_as_its_requests_one_by_one(
    accounts: dict[str, Account], requests: list[PostingRequest]
) -> None:
    together = decided(requests, list(accounts.values()))
    standing = dict(accounts)
    alone: list[object] = []
    for request in requests:
        decision = decided([request], list(standing.values()))
        alone += decision.outcomes
        standing |= {one.reference: one for one in decision.accounts}

    def shape(outcomes: Sequence[object]) -> list[object]:
        return [one if isinstance(one, Declined) else "completed" for one in outcomes]

    assert shape(together.outcomes) == shape(alone)
    assert standing == accounts | {one.reference: one for one in together.accounts}


@given(accounts_strategy, requests_strategy)
def test_asking_again_answers_the_same_and_moves_nothing(
    accounts: dict[str, Account], requests: list[PostingRequest]
) -> None:
    first = decided(requests, list(accounts.values()))
    recorded = [
        Recorded(request, outcome)
        for request, outcome in zip(requests, first.outcomes, strict=True)
        if isinstance(outcome, Completed | Held | Declined)
    ]
    again = decided(requests + requests, list(accounts.values()), recorded)
    assert list(again.outcomes) == [*first.outcomes, *first.outcomes]
    assert not again.postings
    assert not again.declines
    assert not again.accounts


@pytest.mark.parametrize(
    ("debtor", "creditor", "amount_minor", "code", "field"),
    [
        ("absent", "b", 1, DeclineCode.DEBTOR_NOT_FOUND, "debtor"),
        ("a", "absent", 1, DeclineCode.CREDITOR_NOT_FOUND, "creditor"),
        ("a", "a", 1, DeclineCode.SAME_ACCOUNT, "creditor"),
        ("system:settlement:CZK", "b", 1, DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "debtor"),
        ("a", "System:x", 1, DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "creditor"),
        ("frozen", "b", 1, DeclineCode.DEBTOR_FROZEN, "debtor"),
        ("a", "frozen", 1, DeclineCode.CREDITOR_FROZEN, "creditor"),
        ("closed", "b", 1, DeclineCode.DEBTOR_CLOSED, "debtor"),
        ("a", "closed", 1, DeclineCode.CREDITOR_CLOSED, "creditor"),
        ("euro", "b", 1, DeclineCode.CURRENCY_MISMATCH, "debtor"),
        ("a", "euro", 1, DeclineCode.CURRENCY_MISMATCH, "creditor"),
        ("a", "b", 11, DeclineCode.INSUFFICIENT_FUNDS, "amount_minor"),
        ("held", "b", 6, DeclineCode.INSUFFICIENT_FUNDS, "amount_minor"),
        ("a", "rich", 10, DeclineCode.BALANCE_LIMIT_EXCEEDED, "creditor"),
    ],
)
def test_every_refusal_has_its_code_and_field(
    debtor: str, creditor: str, amount_minor: int, code: DeclineCode, field: str
) -> None:
    books = [
        account("a", 10),
        account("b"),
        account("frozen", 10, state=AccountState.FROZEN),
        account("closed", state=AccountState.CLOSED),
        account("euro", 10, currency="EUR"),
        account("held", 10, held_minor=5),
        account("rich", MAX_BALANCE_MINOR - 9),
    ]
    assert only(transfer(debtor, creditor, amount_minor), *books) == Declined(code, field)


def test_exactly_what_is_available_may_be_spent() -> None:
    payer = account("a", 10, overdraft_minor=5, held_minor=3)
    assert isinstance(only(transfer("a", "b", 12), payer, account("b")), Completed)
    assert isinstance(only(transfer("a", "b", 13), payer, account("b")), Declined)


def test_an_unlimited_account_stops_at_the_largest_balance() -> None:
    source = account(
        "system:settlement:CZK",
        -MAX_BALANCE_MINOR + 5,
        kind=AccountKind.SYSTEM,
        overdraft_minor=None,
    )

    def deposit(amount_minor: int) -> PostingRequest:
        facts = {"kind": PostingKind.DEPOSIT, "payment_id": None}
        return transfer("system:settlement:CZK", "b", amount_minor, **facts)

    assert isinstance(only(deposit(5), source, account("b")), Completed)
    assert only(deposit(6), source, account("b")) == Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "debtor")


def test_an_account_of_another_client_is_not_found() -> None:
    request = transfer("a", "b", 1, client_id="other")
    assert only(request, account("a", 10), account("b")) == Declined(DeclineCode.DEBTOR_NOT_FOUND, "debtor")


@pytest.mark.parametrize(
    "other",
    [{"amount_minor": 2}, {"creditor": "c"}, {"currency": "EUR"}, {"client_id": "other"}],
)
def test_a_decided_payment_with_other_content_is_an_error(other: dict[str, object]) -> None:
    payment = uuid4()
    first: dict[str, object] = {"debtor": "a", "creditor": "b", "amount_minor": 1, "payment_id": payment}
    requests = [transfer(**one) for one in (first, first | other)]  # type: ignore[arg-type]
    with pytest.raises(PaymentAlreadyDecided) as refusal:
        decided(requests, [account("a", 10), account("b"), account("c")])
    assert refusal.value.differing == tuple(other)


@pytest.mark.parametrize(
    "facts",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": MAX_AMOUNT_MINOR + 1},
        {"payment_id": None},
        {"kind": PostingKind.REVERSAL},
        {"reverses": UUID(int=1)},
        {"kind": PostingKind.DEPOSIT},
    ],
)
def test_a_request_that_contradicts_itself_cannot_be_made(facts: dict[str, object]) -> None:
    with pytest.raises(InvalidPostingRequest):
        transfer("a", "b", **({"amount_minor": 1} | facts))  # type: ignore[arg-type]
