"""Money is exact, bounded, of one currency, and readable by people only as their currency writes it."""

import pytest
from contracts.currencies import CURRENCIES, UnknownCurrency, exponent_of
from contracts.money import (
    MAX_AMOUNT_MINOR,
    MAX_BALANCE_MINOR,
    AmountOutOfRange,
    CurrencyMismatch,
    InvalidDecimal,
    Money,
    MoneyError,
    TooManyDecimals,
    format_decimal,
    parse_decimal,
)
from hypothesis import assume, given
from hypothesis import strategies as st

currencies = st.sampled_from(sorted(CURRENCIES))
amounts = st.integers(min_value=-MAX_BALANCE_MINOR, max_value=MAX_BALANCE_MINOR)
moneys = st.builds(Money, amount_minor=amounts, currency=currencies)


@given(moneys)
def test_what_is_written_reads_back_as_the_same_money(money: Money) -> None:
    assert parse_decimal(format_decimal(money), money.currency) == money


@given(moneys)
def test_a_written_amount_has_exactly_the_decimals_of_its_currency(money: Money) -> None:
    _, point, fraction = format_decimal(money).partition(".")
    assert len(fraction) == exponent_of(money.currency)
    assert bool(point) == (exponent_of(money.currency) > 0)


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [
        ("1250.00", "USD", 125_000),
        ("1250", "USD", 125_000),
        ("0.5", "EUR", 50),
        ("1250", "JPY", 1250),
        ("1250.00", "JPY", 1250),  # zeros below the minor unit say nothing more
        ("0.125", "KWD", 125),
        ("1.250000", "KWD", 1250),
        ("-0.01", "CHF", -1),
        ("007", "GBP", 700),
        ("0", "JPY", 0),
    ],
)
def test_decimals_are_read_by_the_exponent_of_the_currency(
    text: str, currency: str, amount_minor: int
) -> None:
    assert parse_decimal(text, currency) == Money(amount_minor, currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(5, "USD"), "0.05"),
        (Money(-5, "USD"), "-0.05"),
        (Money(-5, "JPY"), "-5"),
        (Money(125, "KWD"), "0.125"),
        (Money(0, "EUR"), "0.00"),
        (Money(MAX_BALANCE_MINOR, "USD"), "90071992547409.91"),
    ],
)
def test_money_is_written_with_its_decimals(money: Money, text: str) -> None:
    assert format_decimal(money) == text


@pytest.mark.parametrize(("text", "currency"), [("1.5", "JPY"), ("0.001", "USD"), ("0.0001", "KWD")])
def test_what_the_currency_cannot_hold_is_refused_and_not_rounded(text: str, currency: str) -> None:
    with pytest.raises(TooManyDecimals) as refused:
        parse_decimal(text, currency)
    assert refused.value.code == "too_many_decimals"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "1 ",
            " 1",
            "1\n",
            "+1",
            "--1",
            "1.",
            ".5",
            "1,000",
            "1_000",
            "1e3",
            "0x10",
            "NaN",
            "Infinity",
        ),
        *("１２", "१२", "²", "1.0.0", "$1", "1" * 17, "1." + "0" * 9),
    ],
)
def test_only_plain_ascii_decimals_are_numbers(text: str) -> None:
    with pytest.raises(InvalidDecimal) as refused:
        parse_decimal(text, "USD")
    assert refused.value.code == "invalid_amount"


@given(st.text(max_size=30), currencies)
def test_no_text_raises_anything_but_a_money_error(text: str, currency: str) -> None:
    try:
        money = parse_decimal(text, currency)
    except MoneyError:
        return
    assert abs(money.amount_minor) <= MAX_BALANCE_MINOR


def test_a_number_too_large_for_any_balance_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        parse_decimal("90071992547409.92", "USD")
    with pytest.raises(AmountOutOfRange):
        Money(-MAX_BALANCE_MINOR - 1, "JPY")


@pytest.mark.parametrize("wrong", [1.0, True, "1", None])
def test_minor_units_are_an_int_and_nothing_that_resembles_one(wrong: object) -> None:
    with pytest.raises(MoneyError):
        Money(wrong, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["", "usd", "US", "USDX", "XXX", "XAU", "DEM", "BGN", "ＵＳＤ"])
def test_money_is_of_an_active_currency(code: str) -> None:
    with pytest.raises(UnknownCurrency) as refused:
        Money(1, code)
    assert (refused.value.code, refused.value.currency) == ("unknown_currency", code)


@given(currencies, amounts, amounts)
def test_sums_are_exact_and_never_leave_the_bounds(currency: str, one: int, other: int) -> None:
    first, second = Money(one, currency), Money(other, currency)
    if abs(one + other) > MAX_BALANCE_MINOR:
        with pytest.raises(AmountOutOfRange):
            first + second
        return
    assert (first + second).amount_minor == one + other
    assert first + second - second == first
    assert (-first).amount_minor == -one
    assert (first < second, first <= second) == (one < other, one <= other)


@given(moneys, moneys)
def test_currencies_do_not_mix(one: Money, other: Money) -> None:
    assume(one.currency != other.currency)
    for mixed in (lambda: one + other, lambda: one - other, lambda: one < other, lambda: one <= other):
        with pytest.raises(CurrencyMismatch) as refused:
            mixed()
        assert refused.value.code == "currency_mismatch"


def test_any_nine_payments_of_the_largest_amount_fit_into_a_balance() -> None:
    assert 9 * MAX_AMOUNT_MINOR <= MAX_BALANCE_MINOR
