"""Screen a batch of payments: one decision each, kept with its inputs, answered to the payment's owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.messages import FraudAssessed, PaymentInitiated
from messaging import outbox
from messaging.event import Event, new_event
from messaging.failures import PermanentFailure
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.rules import PublishedRules
from fraud_service.domain.screening import Assessment
from fraud_service.operations.decide import decide
from fraud_service.persistence import decisions, rule_sets, velocity

# FraudAssessed is the first thing that this service says of a payment, ReviewResolved the second and last.
ASSESSED_SEQUENCE = 1


@dataclass(frozen=True, slots=True)
class ScreeningRequest:
    """A payment to screen and the event that asks for it."""

    payment: ScreenedPayment
    cause: Event[PaymentInitiated]


class ScreenedOtherwise(PermanentFailure):
    """This payment was screened before, under another event and with other facts: one of the two is false."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__("screened_otherwise", f"payment {payment_id} was screened before with other facts")


@dataclass(slots=True)
class RuleBook:
    """Remembers the newest rules this process has read, which spares reading them for each batch."""

    newest: PublishedRules | None = None


async def screen_payments(
    connection: AsyncConnection, requests: Sequence[ScreeningRequest], *, book: RuleBook, clock: Clock
) -> list[Assessment]:
    """Screen the payments in order by the rules now current, and return what was newly decided.

    A payment that was screened before is not screened again. Raises `ScreenedOtherwise` if it comes back with
    other facts. Until the transaction ends no rules can be published and no other batch counts these debtors.
    """
    await rule_sets.share(connection)
    rules = book.newest = await rule_sets.load_published(connection, known=book.newest)
    screened = await decisions.load_screened(connection, {request.payment.payment_id for request in requests})
    fresh = _not_yet_screened(requests, screened)
    if not fresh:
        return []
    payments = [request.payment for request in fresh]
    debtors = {(p.client_id, p.debtor) for p in payments if p.kind is PaymentKind.TRANSFER}
    if debtors and rules.rule_set.windows():
        # Lock before reading: what is read decides, and another batch may be counting the same debtor.
        await velocity.lock_debtors(connection, debtors)
    assessments, counters = await decide(connection, rules, payments)
    decided_at = clock.now()
    await decisions.save_decisions(
        connection,
        assessments,
        rules_version=rules.version,
        event_ids=[request.cause.id for request in fresh],
        decided_at=decided_at,
    )
    if counters.added:
        await velocity.add_counts(connection, counters.added)
    events = [
        new_event(
            _assessed(assessment),
            subject=str(assessment.payment.payment_id),
            sequence=ASSESSED_SEQUENCE,
            at=decided_at,
            cause=request.cause,
        )
        for request, assessment in zip(fresh, assessments, strict=True)
    ]
    await outbox.add(connection, events)
    return assessments


def _not_yet_screened(
    requests: Sequence[ScreeningRequest], screened: Mapping[UUID, ScreenedPayment]
) -> list[ScreeningRequest]:
    known = dict(screened)
    fresh = []
    for request in requests:
        payment = request.payment
        before = known.setdefault(payment.payment_id, payment)
        if before is payment:
            fresh.append(request)
        elif before != payment:
            raise ScreenedOtherwise(payment.payment_id)
    return fresh


def _assessed(assessment: Assessment) -> FraudAssessed:
    return FraudAssessed(
        payment_id=assessment.payment.payment_id,
        decision=assessment.decision.value,
        score=assessment.score,
        reasons=list(assessment.reasons),
        rules_version=assessment.rules_version,
    )
