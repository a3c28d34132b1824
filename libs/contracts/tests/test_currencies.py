"""The currency table is ours, checked against CLDR (through Babel): each deviation stands here, reasoned."""

from datetime import date

from babel.core import get_global
from babel.numbers import get_currency_precision
from contracts.currencies import CURRENCIES

# ISO 4217 gives the minor unit that banks settle in; CLDR gives the digits that people still write. Coins of
# these went out of use, their minor units did not.
_FEWER_DIGITS = (
    *("AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP"),
    *("MGA", "MMK", "RSD", "SOS", "SYP", "YER"),
)
_CLDR_SHOWS_FEWER_DIGITS = dict.fromkeys(_FEWER_DIGITS, 0)
# In CLDR's list of tender and not in ours.
_LEFT_OUT = {"BGN": "replaced by EUR on 2026-01-01; CLDR's release is older"}
# In ours and not tender by CLDR.
_KEPT = {
    "SVC": "in ISO 4217, beside the USD that El Salvador uses",
    "VED": "in ISO 4217 since 2021; CLDR lists VES alone as tender",
}


def _tender_by_cldr() -> set[str]:
    """Currencies that some territory uses as tender today."""
    today = date.today().timetuple()[:3]  # noqa: DTZ011 - a calendar day of no place in particular
    return {
        code
        for rows in get_global("territory_currencies").values()
        for code, _start, end, is_tender in rows
        if is_tender and (end is None or tuple(end) > today)
    }


def test_exponents_are_those_of_cldr_but_for_the_reasoned_deviations() -> None:
    deviating = {
        code: get_currency_precision(code)
        for code, currency in CURRENCIES.items()
        if get_currency_precision(code) != currency.exponent
    }
    assert deviating == _CLDR_SHOWS_FEWER_DIGITS


def test_every_currency_in_use_is_held_but_for_the_reasoned_ones() -> None:
    assert _tender_by_cldr() - set(CURRENCIES) == set(_LEFT_OUT)


def test_nothing_out_of_use_is_held_but_for_the_reasoned_ones() -> None:
    assert set(CURRENCIES) - _tender_by_cldr() == set(_KEPT)


def test_every_entry_stands_under_its_own_code_with_an_exponent_that_iso_4217_uses() -> None:
    for code, currency in CURRENCIES.items():
        assert currency.code == code
        assert code.isascii()
        assert len(code) == 3
        assert code.isupper()
        assert currency.exponent in {0, 2, 3}


def test_the_table_cannot_be_changed() -> None:
    assert not hasattr(CURRENCIES, "__setitem__")
