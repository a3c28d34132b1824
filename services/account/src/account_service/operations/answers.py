"""What the ledger says to the payments' owner about what became of a request."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.messages import HoldEnded, HoldPlaced, Payload, PostingCompleted, PostingDeclined
from messaging.event import Event, new_event

from account_service.domain.hold import Hold, HoldEnd, HoldState
from account_service.domain.outcome import Completed, Ended, Held, Outcome
from account_service.domain.rules import Declined

# A payment is answered once: the answer is the first event of its posting or hold, and the only one but for
# the end of its hold.
_ANSWER, _END = 1, 2
_ENDS = {HoldState.CAPTURED: "captured", HoldState.VOIDED: "voided", HoldState.EXPIRED: "expired"}

Answer = PostingCompleted | PostingDeclined | HoldPlaced | HoldEnded


def answers(
    payment_id: UUID, outcome: Outcome, *, at: datetime, cause: Event[Payload] | None
) -> Sequence[Event[Payload]]:
    """The events that tell it: none when nothing happened, two when a capture also ended its hold."""
    return [
        new_event(
            data,
            subject=str(data.payment_id),
            sequence=_END if isinstance(data, HoldEnded) else _ANSWER,
            at=at,
            cause=cause,
        )
        for data in _told(payment_id, outcome)
    ]


def _told(payment_id: UUID, outcome: Outcome) -> Sequence[Answer]:
    if isinstance(outcome, Completed):
        completed = PostingCompleted(
            payment_id=payment_id, posting_id=outcome.posting_id, posted_at=outcome.posted_at
        )
        hold = outcome.hold
        return [completed] if hold is None or hold.end is None else [completed, _ended(hold, hold.end)]
    if isinstance(outcome, Declined):
        figures = None if outcome.figures is None else dict(outcome.figures)
        return [
            PostingDeclined(
                payment_id=payment_id, code=outcome.code.value, field=outcome.field, figures=figures
            )
        ]
    if isinstance(outcome, Held):
        return [HoldPlaced(payment_id=payment_id, held_at=outcome.held_at, expires_at=outcome.expires_at)]
    return [_ended(outcome.hold, outcome.end)] if isinstance(outcome, Ended) else []


def _ended(hold: Hold, end: HoldEnd) -> HoldEnded:
    return HoldEnded.model_validate(
        {
            "payment_id": hold.payment_id,
            "end": _ENDS[end.state],
            "captured_minor": hold.captured_minor,
            "released_minor": hold.released_minor,
            "reason": end.reason,
            "author": end.author,
            "ended_at": end.at,
        }
    )
