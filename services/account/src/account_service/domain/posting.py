"""A posting: one balanced movement of money, made of entries that sum to zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR


class PostingKind(StrEnum):
    """Payments arrive as transfers and reversals; the other kinds bring money in from a system account."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"
    OPENING_BALANCE = "opening_balance"
    DEPOSIT = "deposit"


PAYMENT_KINDS = frozenset({PostingKind.TRANSFER, PostingKind.REVERSAL})


class InvalidPostingRequest(ValueError):
    """The request contradicts itself, so that no state of the accounts could ever make it valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRequest:
    """Move `amount_minor` of `currency` from `debtor` to `creditor`, both references of `client_id`.

    Payments (transfer, reversal) carry their payment id and are answered once for ever; a reversal names
    the payment it reverses, its parties already swapped. Raises InvalidPostingRequest.
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

    def __post_init__(self) -> None:
        if not 0 < self.amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidPostingRequest("the amount must be positive and within the limit of one posting")
        if (self.kind in PAYMENT_KINDS) != (self.payment_id is not None):
            raise InvalidPostingRequest("payments, and only payments, carry a payment id")
        if (self.kind is PostingKind.REVERSAL) != (self.reverses is not None):
            raise InvalidPostingRequest("reversals, and only reversals, name the payment they reverse")


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
    """A movement as it is written to the ledger, with its entries in the order of their legs."""

    id: UUID
    request: PostingRequest
    entries: Sequence[Entry]
    posted_at: datetime

    def __post_init__(self) -> None:
        assert len(self.entries) >= 2, "a posting has at least two entries"
        assert sum(entry.amount_minor for entry in self.entries) == 0, "a posting's entries sum to zero"
