"""Decides a batch of requests to the ledger: in order, each seeing the effect of those before it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from account_service.domain.account import Account
from account_service.domain.hold import EXPIRY_AUTHOR, EXPIRY_REASON, Hold, HoldEnd, HoldState
from account_service.domain.limits import AccountLimits
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.domain.outcome import Completed, Ended, Held, Outcome, Stands
from account_service.domain.posting import (
    OUTGOING_KINDS,
    Entry,
    Expiry,
    Posting,
    PostingKind,
    PostingRequest,
    Request,
    VoidRequest,
)
from account_service.domain.rules import DeclineCode, Declined, decline_for, missing_minor
from account_service.domain.usage import BatchUsage, GivenBack

AccountKey = tuple[str, str]  # client id and reference


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a payment was answered before, and for which request."""

    request: PostingRequest
    outcome: Completed | Held | Declined


class PaymentAlreadyDecided(Exception):
    """The payment was answered before, but for another request: one of the two is not what was meant."""

    def __init__(self, *, payment_id: UUID, differing: Sequence[str]) -> None:
        super().__init__(f"payment {payment_id} was decided before with another {', '.join(differing)}")
        self.payment_id = payment_id
        self.differing = tuple(differing)


class HoldNotFound(Exception):
    """There is no hold for the payment, and none was refused: nothing can be given up."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__(f"payment {payment_id} holds nothing")
        self.payment_id = payment_id


@dataclass(frozen=True, slots=True)
class Decision:
    """What a batch comes to: one outcome for each request, in order, and what is new to the ledger."""

    outcomes: Sequence[Outcome]
    postings: Sequence[Posting]
    declines: Sequence[tuple[PostingRequest, Declined]]
    accounts: Sequence[Account]
    placed: Sequence[Hold]
    changed: Sequence[Hold]
    used: Sequence[AccountLimits] = ()
    given_back: Sequence[GivenBack] = ()


@dataclass(slots=True)
class _Batch:
    """The accounts and holds as they stand after the requests decided so far."""

    standing: dict[AccountKey, Account]
    holds: dict[UUID, Hold]
    answered: dict[UUID, Recorded]
    usage: BatchUsage
    receivables: Collection[AccountKey]
    at: datetime
    new_id: Callable[[], UUID]
    postings: list[Posting] = field(default_factory=list)
    declines: list[tuple[PostingRequest, Declined]] = field(default_factory=list)
    moved: dict[AccountKey, Account] = field(default_factory=dict)
    placed: dict[UUID, Hold] = field(default_factory=dict)
    changed: dict[UUID, Hold] = field(default_factory=dict)

    def answer(self, request: Request) -> Outcome:
        if isinstance(request, PostingRequest):
            return self._pay(request)
        if isinstance(request, VoidRequest):
            return self._void(request)
        return self._expire(request)

    def _pay(self, request: PostingRequest) -> Outcome:
        recorded = self.answered.get(request.payment_id) if request.payment_id is not None else None
        if recorded is not None:
            return _repeat(recorded, request)
        debtor = self.standing.get((request.client_id, request.debtor))
        creditor = self.standing.get((request.client_id, request.creditor))
        hold = None if request.capture is None else self._hold(request.client_id, request.capture.of)
        receivable = self._receivable(request) if request.kind is PostingKind.REVERSAL else None
        declined = decline_for(
            request, debtor=debtor, creditor=creditor, hold=hold, at=self.at, receivable=receivable
        )
        if declined is None and debtor is not None and debtor.limited:
            declined = self._count(request, debtor)
        answer: Completed | Held | Declined
        if declined is not None:
            self.declines.append((request, declined))
            answer = declined
        else:
            assert debtor is not None, "only found parties are accepted"
            assert creditor is not None, "only found parties are accepted"
            if request.hold is not None:
                answer = self._place(request, debtor)
            elif receivable is not None and missing_minor(request, debtor) > 0:
                answer = self._move_with_receivable(request, debtor, creditor, receivable)
            else:
                answer = self._move(request, debtor, creditor, hold)
        if request.payment_id is not None:
            self.answered[request.payment_id] = Recorded(request, answer)
        return answer

    def _count(self, request: PostingRequest, debtor: Account) -> Declined | None:
        """Last of all, so that whatever passes and is counted also leaves."""
        if request.kind not in OUTGOING_KINDS:
            return None
        broken = self.usage.broken_by(debtor.id, request.at_most_minor)
        if broken is not None:
            return Declined(DeclineCode.LIMIT_EXCEEDED, "amount_minor", broken.figures())
        self.usage.count(debtor.id, request.at_most_minor, at=self.at)
        return None

    def _place(self, request: PostingRequest, debtor: Account) -> Held:
        assert request.payment_id is not None, "a hold is a payment"
        assert request.hold is not None, "a hold has its terms"
        hold = Hold(
            request.payment_id,
            request.client_id,
            request.debtor,
            request.creditor,
            debtor.id,
            request.amount_minor,
            request.currency,
            request.hold,
            self.at,
            conditions=request.conditions,
        )
        self.holds[hold.payment_id] = self.placed[hold.payment_id] = hold
        self._save(debtor.held(hold.amount_minor))
        return Held(self.at, hold.terms.expires_at)

    def _move(
        self, request: PostingRequest, debtor: Account, creditor: Account, hold: Hold | None
    ) -> Completed:
        held_minor = 0
        if hold is not None:
            hold = self._capture(hold, request)
            held_minor = hold.remaining_minor - self.holds[hold.payment_id].remaining_minor
            self._save_hold(hold)
        debtor = debtor.moved(-request.amount_minor, held_minor=held_minor)
        creditor = creditor.moved(request.amount_minor)
        posting_id = self.new_id()
        entries = (
            _entry(posting_id, 1, debtor, -request.amount_minor),
            _entry(posting_id, 2, creditor, request.amount_minor),
        )
        owed_by = debtor.id if request.kind is PostingKind.COLLECTION else None
        self.postings.append(Posting(posting_id, request, entries, self.at, owed_by))
        self._save(debtor)
        self._save(creditor)
        return Completed(posting_id, self.at, hold)

    def _receivable(self, request: PostingRequest) -> Account | None:
        key = request.client_id, system_reference(SystemPurpose.RECEIVABLE, request.currency)
        return self.standing.get(key) if key in self.receivables else None

    def _move_with_receivable(
        self, request: PostingRequest, debtor: Account, creditor: Account, receivable: Account
    ) -> Completed:
        """The debtor pays what it has, the receivable account the rest. The creditor's leg is the second, as
        ever."""
        owed_minor = missing_minor(request, debtor)
        paid_minor = request.amount_minor - owed_minor
        pays = [(debtor, paid_minor), (receivable, owed_minor)] if paid_minor else [(receivable, owed_minor)]
        posting_id, creditor = self.new_id(), creditor.moved(request.amount_minor)
        entries = [_entry(posting_id, 2, creditor, request.amount_minor)]
        self._save(creditor)
        for place, (payer, minor) in zip((0, 2), pays, strict=False):
            payer = payer.moved(-minor)
            entries.insert(place, _entry(posting_id, place + 1, payer, -minor))
            self._save(payer)
        self.postings.append(Posting(posting_id, request, entries, self.at, owed_by=debtor.id))
        return Completed(posting_id, self.at)

    def _capture(self, hold: Hold, request: PostingRequest) -> Hold:
        assert request.capture is not None, "only a capture takes from a hold"
        return hold.captured(request.amount_minor, final=request.capture.final, at=self.at)

    def _void(self, request: VoidRequest) -> Outcome:
        hold = self._hold(request.client_id, request.payment_id)
        if hold is None:
            recorded = self.answered.get(request.payment_id)
            if recorded is not None and recorded.request.client_id == request.client_id:
                return Stands()  # its hold was refused, or it is a payment that holds nothing
            raise HoldNotFound(request.payment_id)
        if hold.end is not None:
            return Ended(hold, hold.end, repeated=True)
        return self._end(hold, HoldEnd(HoldState.VOIDED, request.reason, request.author, self.at))

    def _expire(self, request: Expiry) -> Outcome:
        hold = self._hold(request.client_id, request.payment_id)
        if hold is None or hold.end is not None or not hold.is_due(self.at):
            return Stands()  # who ended it has told so
        return self._end(hold, HoldEnd(HoldState.EXPIRED, EXPIRY_REASON, EXPIRY_AUTHOR, self.at))

    def _end(self, hold: Hold, end: HoldEnd) -> Ended:
        debtor = self.standing[hold.client_id, hold.debtor]
        self._save(debtor.held(-hold.remaining_minor))
        self._save_hold(hold.ended(end))
        return Ended(self.holds[hold.payment_id], end, repeated=False)

    def _hold(self, client_id: str, payment_id: UUID) -> Hold | None:
        hold = self.holds.get(payment_id)
        return hold if hold is not None and hold.client_id == client_id else None

    def _save(self, account: Account) -> None:
        key = account.client_id, account.reference
        self.standing[key] = self.moved[key] = account

    def _save_hold(self, hold: Hold) -> None:
        """One placed in this batch is written as it ends up; one that was there before is changed."""
        written = self.placed if hold.payment_id in self.placed else self.changed
        self.holds[hold.payment_id] = written[hold.payment_id] = hold
        if hold.end is not None:
            left_over_minor = hold.limit_minor - hold.captured_minor
            nothing_left = hold.captured_minor == 0
            self.usage.give_back(
                hold.account_id, counted_at=hold.placed_at, count=int(nothing_left), sum_minor=left_over_minor
            )


def decide(
    requests: Sequence[Request],
    *,
    accounts: Iterable[Account],
    holds: Iterable[Hold] = (),
    limits: Iterable[AccountLimits] = (),
    recorded: Iterable[Recorded] = (),
    receivables: Collection[AccountKey] = (),
    at: datetime,
    new_id: Callable[[], UUID],
) -> Decision:
    """Decide the requests in their order, so that each sees the balances that those before it left.

    `accounts` are all that the requests name or hold money of, and that exist; `holds` are those they name;
    `limits` are those of the limited accounts that money leaves or is held to leave; `recorded` is what was
    answered before; `receivables` are the accounts that pay what reversals' debtors have not. A payment that
    was answered, earlier or in this batch, gets the same answer and moves nothing. Raises
    PaymentAlreadyDecided when it comes again with other content, and HoldNotFound for a void of a payment
    that nobody has asked to hold.
    """
    batch = _Batch(
        standing={(account.client_id, account.reference): account for account in accounts},
        holds={hold.payment_id: hold for hold in holds},
        answered={r.request.payment_id: r for r in recorded if r.request.payment_id is not None},
        usage=BatchUsage.of(limits),
        receivables=receivables,
        at=at,
        new_id=new_id,
    )
    outcomes = [batch.answer(request) for request in requests]
    return Decision(
        outcomes,
        batch.postings,
        batch.declines,
        tuple(batch.moved.values()),
        tuple(batch.placed.values()),
        tuple(batch.changed.values()),
        batch.usage.to_write(),
        tuple(batch.usage.given_back),
    )


def _entry(posting_id: UUID, leg: int, account: Account, amount_minor: int) -> Entry:
    return Entry(
        posting_id, leg, account.id, account.version, amount_minor, account.posted_minor, account.currency
    )


_CONTENT = (
    *("kind", "client_id", "debtor", "creditor", "amount_minor", "currency", "reverses"),
    *("hold", "capture", "conditions"),
)


def _repeat(recorded: Recorded, request: PostingRequest) -> Outcome:
    differing = [name for name in _CONTENT if getattr(recorded.request, name) != getattr(request, name)]
    if differing:
        assert request.payment_id is not None, "only payments are recorded"
        raise PaymentAlreadyDecided(payment_id=request.payment_id, differing=differing)
    return recorded.outcome
