"""What the demonstration feeds: made from a fixed seed, so that a second run finds everything done before."""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.currencies import exponent_of
from contracts.money import Money, format_decimal

from florin.importing.orders import ACCOUNT_COLUMNS, PAYMENT_COLUMNS

SEED = 20_240_229
# Without decimals, with two, with three.
CURRENCIES = ("JPY", "CLP", "EUR", "USD", "CZK", "KWD")
HOLDERS = 40
ORDINARY = 2_600
ONE_BY_ONE = 300
REVIEWS = 12
# Fraud's first rule set: a review from a million euro cents, a refusal from a hundred million; and its deny
# list names this account.
LARGE_MINOR, HUGE_MINOR = 1_250_000, 150_000_000
DENIED = "DENY-LISTED"
RICH, POOR, FROZEN, CLOSED = "DEMO-RICH", "DEMO-POOR", "DEMO-FROZEN", "DEMO-CLOSED"
REVIEW_PREFIX = "DEMO-REVIEW-"
_WORDS = ("rent", "coffee", "books, used", "tram", 'a "large" pizza', "Zahnarzt Müller", "寿司", "insurance")

Row = Sequence[str]


@dataclass(frozen=True)
class Sample:
    """Rows of the two CSV files, and payments that are sent one by one."""

    accounts: list[Row]
    payments: list[Row]
    singles: list[dict[str, Any]]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes the CSV files of accounts and of payments."""
        folder.mkdir(parents=True, exist_ok=True)
        accounts, payments = folder / "accounts.csv", folder / "payments.csv"
        _write(accounts, ACCOUNT_COLUMNS, self.accounts)
        _write(payments, PAYMENT_COLUMNS, self.payments)
        return accounts, payments


def make_sample() -> Sample:
    """The sample, always the same."""
    chance = random.Random(SEED)  # noqa: S311 - the same sample each time is what is wanted
    rows = [*_ordinary(chance), *_to_be_rejected(), *_to_be_reviewed()]
    chance.shuffle(rows)
    # Bad lines, and good ones a second time, lie among the others as they would in a real file.
    for row in _bad_lines():
        rows.insert(chance.randrange(len(rows)), row)
    return Sample(list(_accounts()), rows, list(_singles(chance)))


def _accounts() -> Iterator[Row]:
    for currency in CURRENCIES:
        for number in range(HOLDERS):
            yield (
                _holder(currency, number),
                f"Holder {number} of {currency}",
                currency,
                _text(10**7, currency),
            )
    yield (RICH, "Rich & Sons", "EUR", "9000000.00")
    yield (POOR, "Poor but honest", "EUR", "1.00")
    yield (FROZEN, "Frozen for now", "EUR", "100.00")
    yield (CLOSED, "Closed for ever", "EUR", "0")
    yield (DENIED, "On the deny list", "EUR", "100.00")


def _ordinary(chance: random.Random) -> Iterator[Row]:
    for number in range(ORDINARY):
        currency = chance.choice(CURRENCIES)
        debtor, creditor = chance.sample(range(HOLDERS), 2)
        amount = _text(chance.randint(1, 50_000), currency)
        parties = _holder(currency, debtor), _holder(currency, creditor)
        yield (f"DEMO-{number:05}", *parties, amount, currency, chance.choice(_WORDS))


def _to_be_rejected() -> Iterator[Row]:
    """Accepted, since only the ledger and screening can know, and then refused by them."""
    someone, other = _holder("EUR", 0), _holder("EUR", 1)
    cases = {
        "FUNDS": (POOR, someone, "25.00", "EUR", 30),
        "NO-DEBTOR": ("DEMO-NOBODY", someone, "5.00", "EUR", 12),
        "NO-CREDITOR": (someone, "DEMO-NOBODY", "5.00", "EUR", 12),
        "FROZEN-OUT": (FROZEN, someone, "5.00", "EUR", 10),
        "FROZEN-IN": (someone, FROZEN, "5.00", "EUR", 10),
        "CLOSED-OUT": (CLOSED, someone, "5.00", "EUR", 6),
        "CLOSED-IN": (someone, CLOSED, "5.00", "EUR", 6),
        "CURRENCY": (someone, other, "5.00", "USD", 10),
        "HUGE": (RICH, someone, _text(HUGE_MINOR, "EUR"), "EUR", 5),
        "DENIED": (someone, DENIED, "5.00", "EUR", 8),
    }
    for name, (debtor, creditor, amount, currency, times) in cases.items():
        for number in range(times):
            yield (f"DEMO-{name}-{number}", debtor, creditor, amount, currency, "is refused later")


def _to_be_reviewed() -> Iterator[Row]:
    for number in range(REVIEWS):
        amount = _text(LARGE_MINOR + number, "EUR")
        yield (f"{REVIEW_PREFIX}{number:02}", RICH, _holder("EUR", number), amount, "EUR", "needs a person")


def _bad_lines() -> Iterator[Row]:
    """Refused at the door, by the command line or by the service."""
    jpy, eur = (_holder("JPY", 0), _holder("JPY", 1)), (_holder("EUR", 0), _holder("EUR", 1))
    kwd = _holder("KWD", 0), _holder("KWD", 1)
    yield ("DEMO-BAD-1", *jpy, "1.5", "JPY", "the yen has no decimals")
    yield ("DEMO-BAD-2", *kwd, "0.0001", "KWD", "the dinar has three")
    yield ("DEMO-BAD-3", *eur, "0.00", "EUR", "nothing")
    yield ("DEMO-BAD-4", *eur, "-5.00", "EUR", "less than nothing")
    yield ("DEMO-BAD-5", *eur, "1,50", "EUR", "a comma")
    yield ("DEMO-BAD-6", *eur, "5.00", "XXX", "no such currency")
    yield ("DEMO-BAD-7", eur[0], eur[0], "5.00", "EUR", "to oneself")
    yield ("DEMO-BAD-8", "not an account!", eur[1], "5.00", "EUR", "no such reference can be")
    yield ("DEMO-BAD-9", *eur, "5.00", "EUR", "one field", "too many")
    yield ("", *eur, "5.00", "EUR", "no reference")


def _singles(chance: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(ONE_BY_ONE):
        currency = chance.choice(CURRENCIES)
        debtor, creditor = chance.sample(range(HOLDERS), 2)
        yield {
            "debtor": _holder(currency, debtor),
            "creditor": _holder(currency, creditor),
            "amount_minor": chance.randint(100, 5_000),
            "currency": currency,
            "reference": f"DEMO-SINGLE-{number:04}",
        }


def _holder(currency: str, number: int) -> str:
    return f"DEMO-{currency}-{number:02}"


def _text(amount_minor: int, currency: str) -> str:
    assert exponent_of(currency) in (0, 2, 3), "all exponents that there are"
    return format_decimal(Money(amount_minor, currency))


def _write(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
