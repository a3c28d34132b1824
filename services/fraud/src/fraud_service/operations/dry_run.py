"""What screening would say of a payment that nobody has made."""

from dataclasses import dataclass
from uuid import UUID

from contracts.money import Money
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.screening import Assessment
from fraud_service.operations.decide import decide
from fraud_service.operations.screen_payments import RuleBook
from fraud_service.persistence import rule_sets

_NO_PAYMENT = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ImaginedPayment:
    """What would be asked for."""

    client_id: str
    kind: PaymentKind
    debtor: str
    creditor: str
    amount: Money


async def dry_run(
    connection: AsyncConnection, imagined: ImaginedPayment, *, book: RuleBook, clock: Clock
) -> Assessment:
    """The decision if the payment were screened at this instant; it is counted nowhere and kept nowhere.

    For a read-only snapshot: takes no lock, and so neither waits for screening nor holds it up.
    """
    rules = book.newest = await rule_sets.load_published(connection, known=book.newest)
    payment = ScreenedPayment(
        payment_id=_NO_PAYMENT,
        client_id=imagined.client_id,
        kind=imagined.kind,
        debtor=imagined.debtor,
        creditor=imagined.creditor,
        amount=imagined.amount,
        reference=None,
        created_at=clock.now(),
    )
    [assessment], _ = await decide(connection, rules, [payment])
    return assessment
