"""The terms on which an account is opened, and what differs when the same reference is asked for twice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from contracts.currencies import exponent_of
from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR

from account_service.domain.account import Account
from account_service.domain.naming import is_reference, is_reserved


class OpeningRefused(Exception):
    """An account cannot be opened so. `code` is stable; `fields` are at fault; nothing was done."""

    def __init__(self, code: str, at_fault: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.code = code
        self.fields = at_fault
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningTerms:
    """What the client asks for. Amounts are minor units of `currency`, zero or more.

    `holder` is None for a customer's account, which is held by whoever the customer is.
    Raises OpeningRefused for a reference of the books' own, contracts' UnknownCurrency for no currency.
    """

    account: str
    holder: str | None
    currency: str
    overdraft_minor: int
    opening_balance_minor: int

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if is_reserved(self.account):
            raise OpeningRefused(
                "reserved_reference", ("account",), "references beginning with 'system:' are reserved"
            )
        assert is_reference(self.account), "the boundary lets no other text through"
        assert 0 <= self.overdraft_minor <= MAX_AMOUNT_MINOR, "the boundary keeps overdrafts in range"
        assert 0 <= self.opening_balance_minor <= MAX_AMOUNT_MINOR, "the boundary keeps amounts in range"

    @property
    def takes_two(self) -> str | None:
        """The kind of proposal by which two people do what one may not do by opening; None for nothing."""
        if self.overdraft_minor > 0:
            return "overdraft-change"
        return "adjustment" if self.opening_balance_minor > 0 else None

    def differing(self, other: "OpeningTerms") -> tuple[str, ...]:
        """The names of the fields in which the two differ, in the order in which the terms are written."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


def account_exists(differing: tuple[str, ...]) -> OpeningRefused:
    """The refusal for a reference that stands for an account on other terms."""
    named = ", ".join(differing)
    return OpeningRefused(
        "account_exists", differing, f"an account of this reference exists with another {named}"
    )


def that_do_not_fit(terms: Iterable[OpeningTerms], sources: Mapping[str, Account]) -> set[str]:
    """References whose opening balance their currency's source account can no longer give.

    The source goes down by all that is given, in order; it must stay a number that JSON holds exactly.
    """
    left = {currency: source.posted_minor + MAX_BALANCE_MINOR for currency, source in sources.items()}
    refused = set()
    for one in terms:
        if one.opening_balance_minor == 0:
            continue
        if one.opening_balance_minor > left[one.currency]:
            refused.add(one.account)
        else:
            left[one.currency] -= one.opening_balance_minor
    return refused
