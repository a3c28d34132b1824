"""A statement adds up or is not given out; a file has a bound."""

from datetime import UTC, datetime

import pytest
from account_service.api.statement_csv import harmless
from account_service.api.statement_routes import MAX_FILE_LINES, refuse_too_long
from account_service.domain.account import Account, AccountKind, AccountState
from account_service.domain.statement import Period, Position, Statement
from service_kit.problems import Problem

AT = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account(1, "bank", "a", "CZK", AccountKind.CUSTOMER, AccountState.ACTIVE, 0, 0, 0, 0)


def statement(opening: Position, closing: Position) -> Statement:
    return Statement(ACCOUNT, Period(AT, AT), opening, closing)


def test_lines_that_continue_one_another_lead_to_the_closing_balance() -> None:
    one = statement(Position(3, 10), Position(5, 4))
    place = one.follow(one.opening, entry_number=4, amount_minor=-7, balance_minor=3)
    place = one.follow(place, entry_number=5, amount_minor=1, balance_minor=4)
    one.assert_closed(place)


@pytest.mark.parametrize(("number", "balance"), [(5, 3), (4, 4), (3, 3)])
def test_a_line_that_does_not_continue_the_one_before_is_not_given_out(number: int, balance: int) -> None:
    one = statement(Position(3, 10), Position(5, 4))
    with pytest.raises(AssertionError):
        one.follow(one.opening, entry_number=number, amount_minor=-7, balance_minor=balance)


def test_a_statement_that_stops_short_of_its_closing_balance_is_not_ended() -> None:
    one = statement(Position(3, 10), Position(5, 4))
    with pytest.raises(AssertionError):
        one.assert_closed(Position(4, 3))


def test_a_file_has_a_bound_and_its_refusal_the_figures() -> None:
    refuse_too_long(statement(Position(7, 0), Position(7 + MAX_FILE_LINES, 0)))
    with pytest.raises(Problem) as refusal:
        refuse_too_long(statement(Position(7, 0), Position(8 + MAX_FILE_LINES, 0)))
    assert refusal.value.code == "statement_too_long"
    assert refusal.value.extra["figures"] == {"lines": MAX_FILE_LINES + 1, "limit": MAX_FILE_LINES}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Rent 3/2026", "Rent 3/2026"),
        ("a-b=c", "a-b=c"),
        ("=1+1", "'=1+1"),
        ("  =1", "  '=1"),
        ("a;=1", "a;'=1"),
        ("a,@b\t-c", "a,'@b\t'-c"),
        ("＝1", "'＝1"),
        (None, ""),
    ],
)
def test_what_could_begin_a_formula_gets_an_apostrophe(text: str | None, shown: str) -> None:
    assert harmless(text) == shown
