"""PostingRequested and VoidRequested: a payment's money is to move, to be held, or to be given up."""

from collections.abc import Sequence

from contracts.messages import PostingRequested, VoidRequested
from messaging.event import Event
from messaging.failures import PermanentFailure
from service_kit.clock import Clock
from service_kit.ids import IdFactory, uuid7
from service_kit.telemetry import counter
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.decision import HoldNotFound, PaymentAlreadyDecided
from account_service.domain.hold import CaptureTerms, Conditions, HoldState, HoldTerms
from account_service.domain.outcome import Completed, Ended, Held, Outcome
from account_service.domain.posting import (
    InvalidPostingRequest,
    PostingKind,
    PostingRequest,
    VoidRequest,
)
from account_service.domain.rules import DeclineCode, Declined
from account_service.operations.post_payments import LedgerRequest, post_payments

_POSTINGS = counter("postings", "Posting requests answered, by outcome", ["outcome"])
_COMPLETED, _HELD = _POSTINGS.labels("completed"), _POSTINGS.labels("held")
_DECLINED = {code: _POSTINGS.labels(code.value) for code in DeclineCode}
HOLDS_ENDED = counter("holds_ended", "Holds that are over, by what ended them", ["end"])
_VOIDED, _CAPTURED = HOLDS_ENDED.labels("voided"), HOLDS_ENDED.labels("captured")


class PostRequestedPayments:
    """Handles a batch of PostingRequested and VoidRequested events in the consumer's transaction.

    Both in one, and in the order in which they came: a round of locks for each kind would invite deadlocks.
    """

    def __init__(self, *, clock: Clock, new_id: IdFactory = uuid7) -> None:
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self,
        connection: AsyncConnection,
        events: Sequence[Event[PostingRequested] | Event[VoidRequested]],
    ) -> None:
        """Answer every request; raises `PermanentFailure` for one that can never be answered."""
        asked = [LedgerRequest(_request(event.data), event) for event in events]
        try:
            outcomes = await post_payments(connection, asked, clock=self._clock, new_id=self._new_id)
        except PaymentAlreadyDecided as error:
            raise PermanentFailure("payment_already_decided", str(error)) from error
        except HoldNotFound as error:
            raise PermanentFailure("hold_not_found", str(error)) from error
        for outcome in outcomes:
            _count(outcome)


def _count(outcome: Outcome) -> None:
    if isinstance(outcome, Completed):
        _COMPLETED.inc()
        if outcome.hold is not None and outcome.hold.state is HoldState.CAPTURED:
            _CAPTURED.inc()
    elif isinstance(outcome, Declined):
        _DECLINED[outcome.code].inc()
    elif isinstance(outcome, Held):
        _HELD.inc()
    elif isinstance(outcome, Ended) and not outcome.repeated:
        _VOIDED.inc()


def _request(data: PostingRequested | VoidRequested) -> PostingRequest | VoidRequest:
    if isinstance(data, VoidRequested):
        return _void(data)
    if "\0" in data.client_id or "\0" in data.debtor or "\0" in data.creditor:
        raise PermanentFailure("invalid_data", "a text holds NUL, which cannot be kept")
    hold, capture, conditions = data.hold, data.capture, data.conditions
    try:
        return PostingRequest(
            kind=PostingKind(data.kind),
            client_id=data.client_id,
            debtor=data.debtor,
            creditor=data.creditor,
            amount_minor=data.amount_minor,
            currency=data.currency,
            payment_id=data.payment_id,
            reverses=data.reverses,
            hold=None if hold is None else HoldTerms(**hold.model_dump()),
            capture=None if capture is None else CaptureTerms(**capture.model_dump()),
            conditions=None if conditions is None else Conditions(**conditions.model_dump()),
        )
    except InvalidPostingRequest as error:
        raise PermanentFailure("invalid_data", str(error)) from error


def _void(data: VoidRequested) -> VoidRequest:
    if "\0" in data.client_id + data.reason + data.author:
        raise PermanentFailure("invalid_data", "a text holds NUL, which cannot be kept")
    if not data.reason or not data.author:
        raise PermanentFailure("invalid_data", "a void names its reason and its author")
    return VoidRequest(data.client_id, data.payment_id, data.reason, data.author)
