"""An account's states and names, and the terms on which it opens."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from account_service.domain.account import (
    NEXT,
    Account,
    AccountKind,
    AccountNotEmpty,
    AccountState,
    IllegalStateChange,
    SystemAccountIsFixed,
)
from account_service.domain.naming import SystemPurpose, is_reference, is_reserved, system_reference
from account_service.domain.opening import OpeningRefused, OpeningTerms, that_do_not_fit
from contracts.currencies import CURRENCIES, UnknownCurrency
from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def account(**facts: Any) -> Account:
    standing: dict[str, Any] = {
        "id": 1,
        "client_id": "bank",
        "reference": "a",
        "currency": "CZK",
        "kind": AccountKind.CUSTOMER,
        "state": AccountState.ACTIVE,
        "posted_minor": 0,
        "held_minor": 0,
        "overdraft_minor": 0,
        "version": 0,
    } | facts
    return Account(**standing)


def terms(**facts: Any) -> OpeningTerms:
    asked: dict[str, Any] = {
        "account": "a",
        "holder": "Jana",
        "currency": "CZK",
        "overdraft_minor": 0,
        "opening_balance_minor": 0,
    } | facts
    return OpeningTerms(**asked)


@pytest.mark.parametrize(("current", "wanted"), list(product(AccountState, AccountState)))
def test_a_state_leads_only_where_the_table_says(current: AccountState, wanted: AccountState) -> None:
    before = account(state=current)
    if wanted in NEXT[current]:
        after, change = before.change_state(wanted, open_holds=False, reason="r", author="bank", at=AT)
        assert (after.state, change.previous, change.state) == (wanted, current, wanted)
        assert (change.reason, change.author, change.changed_at) == ("r", "bank", AT)
    else:
        with pytest.raises(IllegalStateChange):
            before.change_state(wanted, open_holds=False, reason="r", author="bank", at=AT)


def test_closed_is_the_end() -> None:
    assert not NEXT[AccountState.CLOSED]


@pytest.mark.parametrize("standing", [{"posted_minor": 1}, {"posted_minor": -1, "overdraft_minor": 5}])
@pytest.mark.parametrize("held", [0, 1])
def test_only_an_empty_account_is_closed(standing: dict[str, int], held: int) -> None:
    with pytest.raises(AccountNotEmpty):
        account(**standing, held_minor=held).change_state(
            AccountState.CLOSED, open_holds=False, reason="r", author="bank", at=AT
        )


def test_a_system_account_has_no_states() -> None:
    system = account(kind=AccountKind.SYSTEM, overdraft_minor=None)
    assert system.available_minor is None
    with pytest.raises(SystemAccountIsFixed):
        system.change_state(AccountState.FROZEN, open_holds=False, reason="r", author="bank", at=AT)


@pytest.mark.parametrize("text", ["a", "A-1._:z", "9", "x" * 64])
def test_a_reference_is_short_plain_and_begins_with_a_letter_or_digit(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("text", ["", ".", "..", "-a", ":a", "a b", "a/b", "ž", "٣", "a\n", "a\0", "x" * 65])
def test_other_texts_are_no_references(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_system_accounts_have_reserved_references(currency: str) -> None:
    for purpose in SystemPurpose:
        reference = system_reference(purpose, currency)
        assert is_reference(reference)
        assert is_reserved(reference)
        assert is_reserved(reference.upper())
    assert not is_reserved("systemic")


def test_terms_name_what_differs_in_their_order() -> None:
    assert terms().differing(terms()) == ()
    other = terms(holder="Petr", opening_balance_minor=1)
    assert terms().differing(other) == ("holder", "opening_balance_minor")


def test_terms_refuse_reserved_names_and_unknown_currencies() -> None:
    with pytest.raises(OpeningRefused) as refusal:
        terms(account="system:x")
    assert (refusal.value.code, refusal.value.fields) == ("reserved_reference", ("account",))
    with pytest.raises(UnknownCurrency):
        terms(currency="XXX")


@given(st.lists(st.integers(0, MAX_AMOUNT_MINOR), max_size=15), st.integers(-MAX_BALANCE_MINOR, 0))
def test_openings_that_fit_leave_the_source_within_its_limit(amounts: list[int], source_minor: int) -> None:
    asked = [terms(account=f"a{n}", opening_balance_minor=amount) for n, amount in enumerate(amounts)]
    source = account(kind=AccountKind.SYSTEM, overdraft_minor=None, posted_minor=source_minor)
    refused = that_do_not_fit(asked, {"CZK": source})
    given_out = sum(one.opening_balance_minor for one in asked if one.account not in refused)
    assert source_minor - given_out >= -MAX_BALANCE_MINOR
    smallest = min((one.opening_balance_minor for one in asked if one.account in refused), default=None)
    assert smallest is None or source_minor - given_out - smallest < -MAX_BALANCE_MINOR
