"""A statement: what an account held when a period began, each entry within it, what it held at the end."""

from dataclasses import dataclass
from datetime import datetime

from account_service.domain.account import Account


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an account's history: after this many entries it held this much."""

    entry_number: int
    balance_minor: int


BEGINNING = Position(0, 0)


@dataclass(frozen=True, slots=True)
class PastBalance:
    """Where an account stood at an instant, and how much of it was held, in minor units."""

    account: Account
    at: datetime
    position: Position
    held_minor: int


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` inclusive to `end` exclusive."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        assert self.begin <= self.end, "the boundary refuses a period that ends before it begins"


@dataclass(frozen=True, slots=True)
class Statement:
    """The entries after `opening` up to and with `closing`. Neither can change any more: entries are numbered
    under the account's lock and never altered, so that whoever reads them page by page reads one instant."""

    account: Account
    period: Period
    opening: Position
    closing: Position

    def __post_init__(self) -> None:
        assert self.opening.entry_number <= self.closing.entry_number, (
            "a period does not end before it begins"
        )

    @property
    def entry_count(self) -> int:
        """How many entries the statement has."""
        return self.closing.entry_number - self.opening.entry_number

    def follow(
        self, before: Position, *, entry_number: int, amount_minor: int, balance_minor: int
    ) -> Position:
        """The place after one more line, which must be the next one and continue the balance.

        So that the lines' sum is closing less opening: a statement that does not add up is not given out.
        """
        after = Position(before.entry_number + 1, before.balance_minor + amount_minor)
        assert after == Position(entry_number, balance_minor), "each line continues the one before"
        assert after.entry_number <= self.closing.entry_number, "no line lies beyond the closing balance"
        return after

    def assert_closed(self, last: Position) -> None:
        """The last line has led to the closing balance."""
        assert last == self.closing, "the lines lead from the opening balance to the closing one"
