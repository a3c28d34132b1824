"""Money as an integer of minor units and an ISO 4217 code. Never a float, never a bare number.

Only people's surfaces (command line, CSV) read and show decimals, through `parse_decimal` and
`format_decimal`, which refuse what the currency cannot hold.
"""

import re
from dataclasses import dataclass
from typing import Self

from contracts.currencies import exponent_of

# One payment: below a quadrillion minor units, so that any 9 of them still sum inside MAX_BALANCE_MINOR.
MAX_AMOUNT_MINOR = 999_999_999_999_999
# A balance, either sign: the largest integer that every JSON reader holds exactly (RFC 8259, section 6).
MAX_BALANCE_MINOR = 2**53 - 1

_DECIMAL = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]{1,16})(?:\.(?P<fraction>[0-9]{1,8}))?", re.ASCII)


class MoneyError(ValueError):
    """Money that cannot be. `code` is stable and safe to show."""

    code = "invalid_amount"


class CurrencyMismatch(MoneyError):
    """Two amounts of different currencies were added or compared."""

    code = "currency_mismatch"


class InvalidDecimal(MoneyError):
    """The text is not a plain decimal number."""

    code = "invalid_amount"


class TooManyDecimals(MoneyError):
    """The currency has no minor unit that small (JPY 1.5)."""

    code = "too_many_decimals"


class AmountOutOfRange(MoneyError):
    """More minor units than a balance may hold."""

    code = "amount_out_of_range"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `amount_minor` minor units of `currency`. May be negative or zero."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise MoneyError(f"minor units are an int, not {type(self.amount_minor).__name__}")
        if abs(self.amount_minor) > MAX_BALANCE_MINOR:
            raise AmountOutOfRange(f"{self.amount_minor} is beyond ±{MAX_BALANCE_MINOR} minor units")
        exponent_of(self.currency)

    def __add__(self, other: Self) -> "Money":
        return Money(self.amount_minor + self._same_currency(other).amount_minor, self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.amount_minor - self._same_currency(other).amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.amount_minor < self._same_currency(other).amount_minor

    def __le__(self, other: Self) -> bool:
        return self.amount_minor <= self._same_currency(other).amount_minor

    def _same_currency(self, other: Self) -> Self:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other


def parse_decimal(text: str, currency: str) -> Money:
    """Read `"1250.00"` as money of `currency`.

    Raises `InvalidDecimal` for anything but ASCII digits with an optional sign and point, `TooManyDecimals`
    for significant digits below the minor unit, `AmountOutOfRange`, and `UnknownCurrency`.
    """
    exponent = exponent_of(currency)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise InvalidDecimal(f"{text[:40]!r} is not a decimal number such as 1250.00")
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > exponent:
        raise TooManyDecimals(f"{currency} has {exponent} decimals; {text} has more")
    minor = int(match["whole"] + fraction.ljust(exponent, "0"))
    return Money(-minor if match["sign"] else minor, currency)


def format_decimal(money: Money) -> str:
    """Write money with exactly its currency's decimals: `"1250.00"`, `"-5"` (JPY), `"0.125"` (KWD)."""
    exponent = exponent_of(money.currency)
    sign = "-" if money.amount_minor < 0 else ""
    digits = str(abs(money.amount_minor)).rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"
