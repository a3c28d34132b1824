"""ISO 4217 currencies that money may be held in, with their minor-unit exponents.

Source: ISO 4217 list one (active national currencies). Left out on purpose: precious metals, bond market
units, the SDR, testing and no-currency codes, and fund codes, which nobody holds in a wallet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG
    YER ZAR ZMW ZWG
"""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and how many decimal digits its minor unit has (JPY 0, USD 2, KWD 3)."""

    code: str
    exponent: int


class UnknownCurrency(ValueError):
    """The code is not an active ISO 4217 currency that Florin holds."""

    code = "unknown_currency"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency!r} is not an active ISO 4217 currency code")
        self.currency = currency


def _table() -> Mapping[str, Currency]:
    by_exponent = {0: _NO_MINOR_UNIT, 2: _TWO_DECIMALS, 3: _THREE_DECIMALS}
    return MappingProxyType(
        {code: Currency(code, exponent) for exponent, codes in by_exponent.items() for code in codes.split()}
    )


CURRENCIES: Mapping[str, Currency] = _table()


def exponent_of(currency: str) -> int:
    """Return the number of decimals of `currency`; raise `UnknownCurrency` for any other code."""
    try:
        return CURRENCIES[currency].exponent
    except KeyError:
        raise UnknownCurrency(currency) from None
