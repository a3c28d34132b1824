"""An account: who holds it, which state it is in, and how much may leave it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.money import MAX_BALANCE_MINOR
from contracts.sealed import SealedText


class AccountKind(StrEnum):
    """A customer account belongs to a client's customer; a system account is where money enters the books."""

    CUSTOMER = "customer"
    SYSTEM = "system"


class AccountState(StrEnum):
    """Whether the account takes part in postings; `LETS` says in which. CLOSED is for ever."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    DEBIT_FROZEN = "DEBIT_FROZEN"
    CREDIT_FROZEN = "CREDIT_FROZEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


class Way(StrEnum):
    """How money touches an account. To void a hold or let it expire moves nothing and is always possible."""

    IN = "in"
    OUT = "out"
    HOLD = "hold"  # a new hold: money that is to go out later
    CAPTURE = "capture"  # out, from a hold that was placed before


_FREEZES = frozenset({AccountState.FROZEN, AccountState.DEBIT_FROZEN, AccountState.CREDIT_FROZEN})

# The one table of moves, and the one of what each state lets through; the database has both once more.
NEXT: Mapping[AccountState, frozenset[AccountState]] = {
    AccountState.ACTIVE: _FREEZES | {AccountState.CLOSING, AccountState.CLOSED},
    **{
        freeze: (_FREEZES - {freeze}) | {AccountState.ACTIVE, AccountState.CLOSING, AccountState.CLOSED}
        for freeze in _FREEZES
    },
    AccountState.CLOSING: frozenset({AccountState.ACTIVE, AccountState.FROZEN, AccountState.CLOSED}),
    AccountState.CLOSED: frozenset(),
}
LETS: Mapping[AccountState, frozenset[Way]] = {
    AccountState.ACTIVE: frozenset(Way),
    AccountState.FROZEN: frozenset(),
    AccountState.DEBIT_FROZEN: frozenset({Way.IN}),
    AccountState.CREDIT_FROZEN: frozenset({Way.OUT, Way.HOLD, Way.CAPTURE}),
    # What is its own may leave, so that it can be emptied: no overdraft is drawn and nothing new is held.
    AccountState.CLOSING: frozenset({Way.OUT, Way.CAPTURE}),
    AccountState.CLOSED: frozenset(),
}
assert set(NEXT) == set(LETS) == set(AccountState), "every state must say where it leads and what it lets"
assert all(state not in NEXT[state] for state in AccountState), "to stay is no move"
assert not NEXT[AccountState.CLOSED], "closed is for ever"
assert not LETS[AccountState.CLOSED], "a closed account takes no part"
assert all(
    AccountState.CLOSED in NEXT[state] for state in AccountState if state is not AccountState.CLOSED
), "every account can be closed"


def loosens(current: AccountState, wanted: AccountState) -> bool:
    """True when the move lets something through that the state before it did not."""
    return not LETS[wanted] <= LETS[current]


class IllegalStateChange(Exception):
    """The state machine knows no way from the account's state to the one asked for."""

    def __init__(self, *, current: AccountState, wanted: AccountState) -> None:
        super().__init__(f"an account that is {current} cannot become {wanted}")
        self.current = current
        self.wanted = wanted


class AccountNotEmpty(Exception):
    """An account is closed only when nothing is posted on it and none of its holds is open."""

    def __init__(self, *, posted_minor: int, held_minor: int) -> None:
        super().__init__("an account is closed only at a zero balance with no open holds")
        self.posted_minor = posted_minor
        self.held_minor = held_minor


class AccountIsClosed(Exception):
    """Nothing about a closed account changes any more."""


class OverdraftInUse(Exception):
    """The overdraft cannot be less than what is used of it, which is `used_minor`."""

    def __init__(self, *, used_minor: int) -> None:
        super().__init__(f"{used_minor} of the overdraft is in use")
        self.used_minor = used_minor


class OverdraftTooLarge(Exception):
    """With so much overdraft the available balance would pass the largest there can be."""


class SystemAccountIsFixed(Exception):
    """A system account belongs to the books themselves: no client changes it or pays into it."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One move of the state machine; `previous` is None for the opening. `proposal_id` is what it carries
    out."""

    account_id: int
    previous: AccountState | None
    state: AccountState
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OverdraftChange:
    """One change of how far below zero an account may go; `proposal_id` is what it carries out."""

    account_id: int
    previous_minor: int
    overdraft_minor: int
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the ledger sees it: no name of a person. Amounts are minor units of `currency`.

    `overdraft_minor` is how far below zero the balance may go; None, for system accounts only, is unlimited.
    `version` counts the account's entries: entry number N is the one that made it version N. Unless
    `limited`, no limits are set on what leaves the account.
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
    limited: bool = False

    @property
    def available_minor(self) -> int | None:
        """What may still leave the account: posted less held plus overdraft; None is unlimited."""
        if self.overdraft_minor is None:
            return None
        return self.posted_minor - self.held_minor + self.overdraft_minor

    @property
    def spendable_minor(self) -> int | None:
        """What is available, while closing without the overdraft; None is unlimited."""
        if self.overdraft_minor is not None and self.state is AccountState.CLOSING:
            return self.posted_minor - self.held_minor
        return self.available_minor

    def lets(self, way: Way) -> bool:
        """True when the account's state lets money through this way."""
        return way in LETS[self.state]

    def can_spend(self, amount_minor: int) -> bool:
        """True when the amount may leave without passing the overdraft, or, while closing, zero."""
        spendable_minor = self.spendable_minor
        return spendable_minor is None or amount_minor <= spendable_minor

    def moved(self, amount_minor: int, *, held_minor: int = 0) -> "Account":
        """The account after one more entry of this signed amount, with so much more held."""
        # Spelled out: dataclasses.replace costs three times as much, twice for every posting.
        return Account(
            self.id,
            self.client_id,
            self.reference,
            self.currency,
            self.kind,
            self.state,
            self.posted_minor + amount_minor,
            self.held_minor + held_minor,
            self.overdraft_minor,
            self.version + 1,
            self.limited,
        )

    def held(self, amount_minor: int) -> "Account":
        """The account with so much more held, or less."""
        return replace(self, held_minor=self.held_minor + amount_minor)

    def change_state(
        self,
        wanted: AccountState,
        *,
        open_holds: bool,
        reason: str,
        author: str,
        at: datetime,
        proposal_id: UUID | None = None,
    ) -> tuple["Account", StateChange]:
        """The account in its new state and the record of the move; `open_holds` says whether it has any.

        Raises SystemAccountIsFixed, IllegalStateChange or AccountNotEmpty.
        """
        if self.kind is AccountKind.SYSTEM:
            raise SystemAccountIsFixed(self.reference)
        if wanted not in NEXT[self.state]:
            raise IllegalStateChange(current=self.state, wanted=wanted)
        if wanted is AccountState.CLOSED and (self.posted_minor != 0 or self.held_minor != 0 or open_holds):
            raise AccountNotEmpty(posted_minor=self.posted_minor, held_minor=self.held_minor)
        change = StateChange(self.id, self.state, wanted, reason, author, at, proposal_id)
        return replace(self, state=wanted), change

    def change_overdraft(
        self,
        overdraft_minor: int,
        *,
        reason: str,
        author: str,
        at: datetime,
        proposal_id: UUID | None = None,
    ) -> tuple["Account", OverdraftChange]:
        """The account with its new overdraft and the record of the change.

        Raises SystemAccountIsFixed, AccountIsClosed, OverdraftInUse or OverdraftTooLarge.
        """
        if self.overdraft_minor is None:
            raise SystemAccountIsFixed(self.reference)
        if self.state is AccountState.CLOSED:
            raise AccountIsClosed(self.reference)
        used_minor = self.held_minor - self.posted_minor
        if overdraft_minor < used_minor:
            raise OverdraftInUse(used_minor=used_minor)
        if self.posted_minor + overdraft_minor > MAX_BALANCE_MINOR:
            raise OverdraftTooLarge(self.reference)
        change = OverdraftChange(
            self.id, self.overdraft_minor, overdraft_minor, reason, author, at, proposal_id
        )
        return replace(self, overdraft_minor=overdraft_minor), change


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account with what people are shown beside it: its holder's name is opened only to be shown."""

    account: Account
    holder: str | SealedText
    opened_at: datetime
    updated_at: datetime
