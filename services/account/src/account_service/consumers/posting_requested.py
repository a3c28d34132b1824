"""PostingRequested: a payment's money is to move."""

from collections.abc import Sequence

from contracts.messages import PostingRequested
from messaging.event import Event
from messaging.failures import PermanentFailure
from service_kit.clock import Clock
from service_kit.ids import IdFactory, uuid7
from service_kit.telemetry import counter
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.decision import Completed, PaymentAlreadyDecided
from account_service.domain.posting import InvalidPostingRequest, PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode
from account_service.operations.post_payments import PaymentPosting, post_payments

_POSTINGS = counter("postings", "Posting requests answered, by outcome", ["outcome"])
_COMPLETED = _POSTINGS.labels("completed")
_DECLINED = {code: _POSTINGS.labels(code.value) for code in DeclineCode}


class PostRequestedPayments:
    """Handles a batch of PostingRequested events in the consumer's transaction."""

    def __init__(self, *, clock: Clock, new_id: IdFactory = uuid7) -> None:
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, connection: AsyncConnection, events: Sequence[Event[PostingRequested]]) -> None:
        """Answer every request; raises `PermanentFailure` for one that can never be answered."""
        payments = [PaymentPosting(_request(event.data), event) for event in events]
        try:
            outcomes = await post_payments(connection, payments, clock=self._clock, new_id=self._new_id)
        except PaymentAlreadyDecided as error:
            raise PermanentFailure("payment_already_decided", str(error)) from error
        for outcome in outcomes:
            (_COMPLETED if isinstance(outcome, Completed) else _DECLINED[outcome.code]).inc()


def _request(data: PostingRequested) -> PostingRequest:
    if "\0" in data.client_id or "\0" in data.debtor or "\0" in data.creditor:
        raise PermanentFailure("invalid_data", "a text holds NUL, which cannot be kept")
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
        )
    except InvalidPostingRequest as error:
        raise PermanentFailure("invalid_data", str(error)) from error
