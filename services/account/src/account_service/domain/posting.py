"""A posting: one balanced movement of money, made of entries that sum to zero; and how one is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR

from account_service.domain.hold import CaptureTerms, Conditions, HoldTerms


class PostingKind(StrEnum):
    """Payments arrive as transfers, reversals, holds and captures; the other kinds bring money in from a
    system account, or out to one: withdrawals to a settlement account, collections of what is owed to the
    receivable account. An adjustment corrects a balance by hand, either way, as two people have decided. A
    hold alone moves nothing and has no posting."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"
    HOLD = "hold"
    CAPTURE = "capture"
    OPENING_BALANCE = "opening_balance"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    COLLECTION = "collection"
    ADJUSTMENT = "adjustment"


# What limits on what leaves an account are about; a capture was counted when its hold was placed.
OUTGOING_KINDS = frozenset({PostingKind.TRANSFER, PostingKind.HOLD, PostingKind.WITHDRAWAL})
PAYMENT_KINDS = frozenset({PostingKind.TRANSFER, PostingKind.REVERSAL, PostingKind.HOLD, PostingKind.CAPTURE})


class InvalidPostingRequest(ValueError):
    """The request contradicts itself, so that no state of the accounts could ever make it valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRequest:
    """Move `amount_minor` of `currency` from `debtor` to `creditor`, both references of `client_id`.

    Payments carry their payment id and are answered once for ever. A reversal names the payment it reverses,
    its parties already swapped; a hold has its terms; a capture names the hold, and has its parties; an
    adjustment names the proposal that it carries out. Raises InvalidPostingRequest.
    """

    kind: PostingKind
    client_id: str
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    payment_id: UUID | None = None
    reverses: UUID | None = None
    reference: str | None = None
    description: str | None = None
    hold: HoldTerms | None = None
    capture: CaptureTerms | None = None
    conditions: Conditions | None = None
    proposal_id: UUID | None = None

    def __post_init__(self) -> None:
        if not 0 < self.amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidPostingRequest("the amount must be positive and within the limit of one posting")
        if (self.kind in PAYMENT_KINDS) != (self.payment_id is not None):
            raise InvalidPostingRequest("payments, and only payments, carry a payment id")
        if (self.kind is PostingKind.REVERSAL) != (self.reverses is not None):
            raise InvalidPostingRequest("reversals, and only reversals, name the payment they reverse")
        if (self.kind is PostingKind.HOLD) != (self.hold is not None):
            raise InvalidPostingRequest("holds, and only holds, have terms of holding")
        if (
            self.hold is not None
            and not 0 <= self.hold.tolerance_minor <= MAX_AMOUNT_MINOR - self.amount_minor
        ):
            raise InvalidPostingRequest("a tolerance is not negative, nor beyond the limit with its amount")
        if (self.kind is PostingKind.CAPTURE) != (self.capture is not None):
            raise InvalidPostingRequest("captures, and only captures, name the hold they take from")
        if (self.kind is PostingKind.ADJUSTMENT) != (self.proposal_id is not None):
            raise InvalidPostingRequest("adjustments, and only adjustments, name the proposal they carry out")

    @property
    def at_most_minor(self) -> int:
        """How much may leave the debtor by it: a hold's tolerance may be captured too."""
        return self.amount_minor if self.hold is None else self.amount_minor + self.hold.tolerance_minor


@dataclass(frozen=True, slots=True)
class VoidRequest:
    """Give up what is still held for the payment."""

    client_id: str
    payment_id: UUID
    reason: str
    author: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """End the payment's hold if its time is over."""

    client_id: str
    payment_id: UUID


Request = PostingRequest | VoidRequest | Expiry


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg of a posting. A negative amount leaves the account, a positive one arrives."""

    posting_id: UUID
    leg: int
    account_id: int
    entry_number: int
    amount_minor: int
    balance_after_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement as it is written to the ledger, with its entries in the order of their legs.

    `owed_by` is the account in whose place the receivable account paid, in part or all: a reversal's debtor
    who has spent the money. Of a collection it is the account that pays such a debt back.
    """

    id: UUID
    request: PostingRequest
    entries: Sequence[Entry]
    posted_at: datetime
    owed_by: int | None = None

    def __post_init__(self) -> None:
        assert len(self.entries) >= 2, "a posting has at least two entries"
        assert sum(entry.amount_minor for entry in self.entries) == 0, "a posting's entries sum to zero"
