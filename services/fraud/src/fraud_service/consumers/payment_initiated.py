"""PaymentInitiated: a payment waits to be screened."""

from collections.abc import Sequence

from contracts.currencies import UnknownCurrency
from contracts.messages import PaymentInitiated
from contracts.money import Money
from messaging.event import Event
from messaging.failures import PermanentFailure
from service_kit.clock import Clock
from service_kit.telemetry import counter
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.screening import Decision
from fraud_service.operations.screen_payments import RuleBook, ScreeningRequest, screen_payments

_DECISIONS = counter("fraud_decisions", "Payments screened, by decision", ["decision"])
_BY_DECISION = {decision: _DECISIONS.labels(decision.value) for decision in Decision}
_SCREENED = frozenset(kind.value for kind in PaymentKind)


class ScreenInitiatedPayments:
    """Handles a batch of PaymentInitiated events in the consumer's transaction."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._book = RuleBook()

    async def __call__(self, connection: AsyncConnection, events: Sequence[Event[PaymentInitiated]]) -> None:
        """Screen every payment; raises `PermanentFailure` for one that can never be screened."""
        requests = [ScreeningRequest(_payment(event.data), event) for event in events]
        for assessment in await screen_payments(connection, requests, book=self._book, clock=self._clock):
            _BY_DECISION[assessment.decision].inc()


def _payment(data: PaymentInitiated) -> ScreenedPayment:
    if "\0" in "".join((data.client_id, data.debtor, data.creditor, data.reference or "")):
        raise PermanentFailure("invalid_data", "a text holds NUL, which cannot be kept")
    if data.kind not in _SCREENED:
        # A capture takes what its authorisation was screened for; counted again it would be counted twice.
        raise PermanentFailure("not_to_be_screened", f"payments of the kind {data.kind} are not screened")
    try:
        amount = Money(data.amount_minor, data.currency)
    except UnknownCurrency as error:
        raise PermanentFailure(error.code, str(error)) from error
    return ScreenedPayment(
        payment_id=data.payment_id,
        client_id=data.client_id,
        kind=PaymentKind(data.kind),
        debtor=data.debtor,
        creditor=data.creditor,
        amount=amount,
        reference=data.reference,
        created_at=data.created_at,
    )
