"""What a line asks for, as the services take it: decimals become minor units here, and only here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from contracts.currencies import UnknownCurrency
from contracts.money import MAX_AMOUNT_MINOR, MoneyError, parse_decimal

from florin.importing.lines import Fault, Line

ACCOUNT_COLUMNS = ("account", "holder", "currency", "opening_balance")
PAYMENT_COLUMNS = ("reference", "debtor", "creditor", "amount", "currency", "description")

_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a batch. `name` is what the file knows it by and must be unique in it."""

    line: int
    name: str
    body: Mapping[str, Any]


def read_account(line: Line) -> Item | Fault:
    """An account to open; an opening balance may be zero."""
    fields = line.fields
    if missing := _missing(line, ("account", "holder", "currency", "opening_balance")):
        return missing
    balance_minor = _amount(line, "opening_balance", least=0)
    if isinstance(balance_minor, Fault):
        return balance_minor
    body = {
        "account": fields["account"],
        "holder": fields["holder"],
        "currency": fields["currency"],
        "opening_balance_minor": balance_minor,
    }
    return Item(line.number, fields["account"], body)


def read_payment(line: Line) -> Item | Fault:
    """A payment to make, under a key made of its reference alone: never paid twice, in whatever batch."""
    fields = line.fields
    if missing := _missing(line, ("reference", "debtor", "creditor", "amount", "currency")):
        return missing
    amount_minor = _amount(line, "amount", least=1)
    if isinstance(amount_minor, Fault):
        return amount_minor
    body = {
        "reference": fields["reference"],
        "debtor": fields["debtor"],
        "creditor": fields["creditor"],
        "amount_minor": amount_minor,
        "currency": fields["currency"],
        "idempotency_key": payment_key(fields["reference"]),
    }
    if fields["description"]:
        body["description"] = fields["description"]
    return Item(line.number, fields["reference"], body)


def payment_key(reference: str) -> str:
    """The idempotency key of a reference: itself where it is visible ASCII; no two references share one."""
    key = f"import:{quote(reference, safe=_VISIBLE)}"
    if len(key) <= _MAX_KEY:
        return key
    # No escaped reference holds a percent sign before an `s`.
    return f"import:%sha256:{hashlib.sha256(reference.encode()).hexdigest()}"


def _missing(line: Line, names: tuple[str, ...]) -> Fault | None:
    for name in names:
        if not line.fields[name]:
            return Fault(line.number, "missing_value", f"{name} is empty")
    return None


def _amount(line: Line, name: str, *, least: int) -> int | Fault:
    try:
        amount_minor = parse_decimal(line.fields[name], line.fields["currency"]).amount_minor
    except (MoneyError, UnknownCurrency) as error:
        return Fault(line.number, error.code, f"{name}: {error}")
    if not least <= amount_minor <= MAX_AMOUNT_MINOR:
        lowest = "zero or more" if least == 0 else "more than zero"
        return Fault(line.number, "amount_out_of_range", f"{name}: must be {lowest} and not too large")
    return amount_minor
