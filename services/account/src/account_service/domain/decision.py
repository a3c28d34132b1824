"""Decides a batch of postings: in order, each seeing the effect of those before it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from account_service.domain.account import Account
from account_service.domain.posting import Entry, Posting, PostingRequest
from account_service.domain.rules import Declined, decline_for

AccountKey = tuple[str, str]  # client id and reference


@dataclass(frozen=True, slots=True)
class Completed:
    """The money has moved."""

    posting_id: UUID
    posted_at: datetime


Outcome = Completed | Declined


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a payment was answered before, and for which request."""

    request: PostingRequest
    outcome: Outcome


class PaymentAlreadyDecided(Exception):
    """The payment was answered before, but for another request: one of the two is not what was meant."""

    def __init__(self, *, payment_id: UUID, differing: Sequence[str]) -> None:
        super().__init__(f"payment {payment_id} was decided before with another {', '.join(differing)}")
        self.payment_id = payment_id
        self.differing = tuple(differing)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a batch comes to: one outcome for each request, in order, and what is new to the ledger."""

    outcomes: Sequence[Outcome]
    postings: Sequence[Posting]
    declines: Sequence[tuple[PostingRequest, Declined]]
    accounts: Sequence[Account]


@dataclass(slots=True)
class _Batch:
    """The accounts as they stand after the requests decided so far."""

    standing: dict[AccountKey, Account]
    answered: dict[UUID, Recorded]
    at: datetime
    new_id: Callable[[], UUID]
    postings: list[Posting] = field(default_factory=list)
    declines: list[tuple[PostingRequest, Declined]] = field(default_factory=list)
    changed: dict[AccountKey, Account] = field(default_factory=dict)

    def answer(self, request: PostingRequest) -> Outcome:
        recorded = self.answered.get(request.payment_id) if request.payment_id is not None else None
        if recorded is not None:
            return _repeat(recorded, request)
        debtor = self.standing.get((request.client_id, request.debtor))
        creditor = self.standing.get((request.client_id, request.creditor))
        outcome = decline_for(request, debtor=debtor, creditor=creditor)
        if outcome is None:
            assert debtor is not None, "only found parties are accepted"
            assert creditor is not None, "only found parties are accepted"
            answer: Outcome = self._move(request, debtor, creditor)
        else:
            self.declines.append((request, outcome))
            answer = outcome
        if request.payment_id is not None:
            self.answered[request.payment_id] = Recorded(request, answer)
        return answer

    def _move(self, request: PostingRequest, debtor: Account, creditor: Account) -> Completed:
        debtor, creditor = debtor.moved(-request.amount_minor), creditor.moved(request.amount_minor)
        posting_id = self.new_id()
        entries = (
            _entry(posting_id, 1, debtor, -request.amount_minor),
            _entry(posting_id, 2, creditor, request.amount_minor),
        )
        self.postings.append(Posting(posting_id, request, entries, self.at))
        for account in (debtor, creditor):
            key = account.client_id, account.reference
            self.standing[key] = self.changed[key] = account
        return Completed(posting_id, self.at)


def decide(
    requests: Sequence[PostingRequest],
    *,
    accounts: Iterable[Account],
    recorded: Iterable[Recorded] = (),
    at: datetime,
    new_id: Callable[[], UUID],
) -> Decision:
    """Decide the requests in their order, so that each sees the balances that those before it left.

    `accounts` are all that the requests name and that exist; `recorded` is what was answered before. A
    payment that was answered, earlier or in this batch, gets the same answer and moves nothing. Raises
    PaymentAlreadyDecided when it comes again with other content.
    """
    batch = _Batch(
        standing={(account.client_id, account.reference): account for account in accounts},
        answered={r.request.payment_id: r for r in recorded if r.request.payment_id is not None},
        at=at,
        new_id=new_id,
    )
    outcomes = [batch.answer(request) for request in requests]
    return Decision(outcomes, batch.postings, batch.declines, tuple(batch.changed.values()))


def _entry(posting_id: UUID, leg: int, account: Account, amount_minor: int) -> Entry:
    return Entry(
        posting_id, leg, account.id, account.version, amount_minor, account.posted_minor, account.currency
    )


_CONTENT = ("kind", "client_id", "debtor", "creditor", "amount_minor", "currency", "reverses")


def _repeat(recorded: Recorded, request: PostingRequest) -> Outcome:
    differing = [name for name in _CONTENT if getattr(recorded.request, name) != getattr(request, name)]
    if differing:
        assert request.payment_id is not None, "only payments are recorded"
        raise PaymentAlreadyDecided(payment_id=request.payment_id, differing=differing)
    return recorded.outcome
