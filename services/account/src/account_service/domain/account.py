"""An account: who holds it, which state it is in, and how much may leave it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class AccountKind(StrEnum):
    """A customer account belongs to a client's customer; a system account is where money enters the books."""

    CUSTOMER = "customer"
    SYSTEM = "system"


class AccountState(StrEnum):
    """ACTIVE takes part in postings, FROZEN does not for now, CLOSED never again."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


NEXT: Mapping[AccountState, frozenset[AccountState]] = {
    AccountState.ACTIVE: frozenset({AccountState.FROZEN, AccountState.CLOSED}),
    AccountState.FROZEN: frozenset({AccountState.ACTIVE, AccountState.CLOSED}),
    AccountState.CLOSED: frozenset(),
}
assert set(NEXT) == set(AccountState), "every state must say where it leads"


class IllegalStateChange(Exception):
    """The state machine knows no way from the account's state to the one asked for."""

    def __init__(self, *, current: AccountState, wanted: AccountState) -> None:
        super().__init__(f"an account that is {current} cannot become {wanted}")
        self.current = current
        self.wanted = wanted


class AccountNotEmpty(Exception):
    """An account is closed only when nothing is posted and nothing is held on it."""

    def __init__(self, *, posted_minor: int, held_minor: int) -> None:
        super().__init__("an account is closed only at a zero balance with nothing held")
        self.posted_minor = posted_minor
        self.held_minor = held_minor


class SystemAccountIsFixed(Exception):
    """A system account belongs to the books themselves: no client changes it or pays into it."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One move of the state machine; `previous` is None for the opening."""

    account_id: int
    previous: AccountState | None
    state: AccountState
    reason: str
    author: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the ledger sees it: no name of a person. Amounts are minor units of `currency`.

    `overdraft_minor` is how far below zero the balance may go; None, for system accounts only, is unlimited.
    `version` counts the account's entries: entry number N is the one that made it version N.
    """

    id: int
    client_id: str
    reference: str
    currency: str
    kind: AccountKind
    state: AccountState
    posted_minor: int
    held_minor: int
    overdraft_minor: int | None
    version: int

    @property
    def available_minor(self) -> int | None:
        """What may still leave the account: posted less held plus overdraft; None is unlimited."""
        if self.overdraft_minor is None:
            return None
        return self.posted_minor - self.held_minor + self.overdraft_minor

    def can_spend(self, amount_minor: int) -> bool:
        """True when the amount may leave without passing the overdraft."""
        available_minor = self.available_minor
        return available_minor is None or amount_minor <= available_minor

    def moved(self, amount_minor: int) -> "Account":
        """The account after one more entry of this signed amount."""
        # Spelled out: dataclasses.replace costs three times as much, twice for every posting.
        return Account(
            self.id,
            self.client_id,
            self.reference,
            self.currency,
            self.kind,
            self.state,
            self.posted_minor + amount_minor,
            self.held_minor,
            self.overdraft_minor,
            self.version + 1,
        )

    def change_state(
        self, wanted: AccountState, *, reason: str, author: str, at: datetime
    ) -> tuple["Account", StateChange]:
        """The account in its new state and the record of the move.

        Raises SystemAccountIsFixed, IllegalStateChange or AccountNotEmpty.
        """
        if self.kind is AccountKind.SYSTEM:
            raise SystemAccountIsFixed(self.reference)
        if wanted not in NEXT[self.state]:
            raise IllegalStateChange(current=self.state, wanted=wanted)
        if wanted is AccountState.CLOSED and (self.posted_minor != 0 or self.held_minor != 0):
            raise AccountNotEmpty(posted_minor=self.posted_minor, held_minor=self.held_minor)
        change = StateChange(self.id, self.state, wanted, reason, author, at)
        return replace(self, state=wanted), change


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account with what people are shown beside it."""

    account: Account
    holder: str
    opened_at: datetime
    updated_at: datetime
