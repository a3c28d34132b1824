"""Fraud rules and the versioned set that holds them.

A rule names what it looks for, how strongly it speaks (its action) and how much it adds to the score. It is
built only through these classes, which refuse a rule that cannot be evaluated, whatever door it came through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.currencies import exponent_of
from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR

MAX_SCORE = 100
MAX_RULES = 100
MAX_ENABLED_WINDOWS = 10
MAX_DENY_ENTRIES = 10_000
MAX_COUNT = 1_000_000_000
MAX_REFERENCE_LENGTH = 255

# A window is counted in this many buckets, so it must divide evenly: see domain/velocity.py.
BUCKETS_PER_WINDOW = 60
MAX_WINDOW_S = 31 * 24 * 3600

RULE_ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
# Any character but the control ones.
REFERENCE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"

_RULE_ID = re.compile(RULE_ID_PATTERN)
_REFERENCE = re.compile(REFERENCE_PATTERN)


class InvalidRule(ValueError):
    """A rule or rule set that cannot be evaluated. `field` is a path such as `rules.2.window_s`."""

    code = "invalid_rule"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Action(StrEnum):
    """What a rule that fires asks for."""

    REVIEW = "review"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    id: str
    enabled: bool
    action: Action
    score: int

    def __post_init__(self) -> None:
        if not _RULE_ID.fullmatch(self.id):
            raise InvalidRule("id", "1 to 64 of a-z, 0-9, '_' and '-', beginning with a letter or digit")
        _check_range("score", self.score, lowest=0, highest=MAX_SCORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRule(_Rule):
    """Fires when one payment is at or over its currency's threshold; currencies not named never fire it."""

    kind = "amount"
    at_or_over_minor: Mapping[str, int]

    def __post_init__(self) -> None:
        _Rule.__post_init__(self)
        if not self.at_or_over_minor:
            raise InvalidRule("at_or_over_minor", "name at least one currency")
        for currency, threshold in self.at_or_over_minor.items():
            _check_currency(f"at_or_over_minor.{currency}", currency)
            _check_range(f"at_or_over_minor.{currency}", threshold, lowest=1, highest=MAX_AMOUNT_MINOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocityCountRule(_Rule):
    """Fires when the debtor's payments in the window, this one included, are more than `max_count`."""

    kind = "velocity_count"
    window_s: int
    max_count: int

    def __post_init__(self) -> None:
        _Rule.__post_init__(self)
        _check_window(self.window_s)
        _check_range("max_count", self.max_count, lowest=1, highest=MAX_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocitySumRule(_Rule):
    """Fires when the debtor's payments of `currency` in the window, this one included, exceed the sum."""

    kind = "velocity_sum"
    window_s: int
    currency: str
    max_sum_minor: int

    def __post_init__(self) -> None:
        _Rule.__post_init__(self)
        _check_window(self.window_s)
        _check_currency("currency", self.currency)
        _check_range("max_sum_minor", self.max_sum_minor, lowest=1, highest=MAX_BALANCE_MINOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyListRule(_Rule):
    """Fires when debtor or creditor is listed.

    An entry is (client id, account reference). References belong to a client, so an entry speaks of that
    client's account only, unless its client id is None: then of every client's account of that reference.
    """

    kind = "deny_list"
    entries: frozenset[tuple[str | None, str]]

    def __post_init__(self) -> None:
        _Rule.__post_init__(self)
        if len(self.entries) > MAX_DENY_ENTRIES:
            raise InvalidRule("entries", f"at most {MAX_DENY_ENTRIES} entries")
        for client_id, account in self.entries:
            _check_reference("entries.account", account)
            if client_id is not None:
                _check_reference("entries.client_id", client_id)

    def denies(self, client_id: str, account: str) -> bool:
        """Say whether `account` of `client_id` is listed."""
        return (client_id, account) in self.entries or (None, account) in self.entries


VelocityRule = VelocityCountRule | VelocitySumRule
Rule = AmountRule | VelocityCountRule | VelocitySumRule | DenyListRule


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which their reasons are told. Ids are unique."""

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if len(self.rules) > MAX_RULES:
            raise InvalidRule("rules", f"at most {MAX_RULES} rules")
        seen: set[str] = set()
        for position, rule in enumerate(self.rules):
            if rule.id in seen:
                raise InvalidRule(f"rules.{position}.id", f"another rule is called {rule.id}")
            seen.add(rule.id)
        if len(self.windows()) > MAX_ENABLED_WINDOWS:
            raise InvalidRule("rules", f"at most {MAX_ENABLED_WINDOWS} different windows may be enabled")

    def enabled(self) -> tuple[Rule, ...]:
        """The rules that take part in decisions, in order."""
        return tuple(rule for rule in self.rules if rule.enabled)

    def velocity_rules(self) -> tuple[VelocityRule, ...]:
        """The enabled rules that need counters, in order."""
        return tuple(rule for rule in self.enabled() if isinstance(rule, VelocityCountRule | VelocitySumRule))

    def windows(self) -> frozenset[int]:
        """The different `window_s` for which counters must be kept."""
        return frozenset(rule.window_s for rule in self.velocity_rules())


@dataclass(frozen=True, slots=True)
class PublishedRules:
    """A rule set under the version number that every decision made by it carries."""

    version: int
    rule_set: RuleSet


def _check_range(field: str, value: int, *, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise InvalidRule(field, f"a whole number from {lowest} to {highest}")


def _check_window(window_s: int) -> None:
    _check_range("window_s", window_s, lowest=BUCKETS_PER_WINDOW, highest=MAX_WINDOW_S)
    if window_s % BUCKETS_PER_WINDOW:
        raise InvalidRule("window_s", f"a multiple of {BUCKETS_PER_WINDOW} seconds")


def _check_currency(field: str, currency: str) -> None:
    try:
        exponent_of(currency)
    except ValueError as error:
        raise InvalidRule(field, str(error)) from None


def _check_reference(field: str, text: str) -> None:
    if len(text) > MAX_REFERENCE_LENGTH or not _REFERENCE.fullmatch(text):
        raise InvalidRule(field, f"1 to {MAX_REFERENCE_LENGTH} characters, none of them a control character")
