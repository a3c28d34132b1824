"""Dry runs as they are asked for and answered."""

from typing import Annotated, Self

from contracts.currencies import CURRENCIES, UnknownCurrency
from contracts.money import Money
from pydantic import AfterValidator, Field, WithJsonSchema

from fraud_service.api.rule_schemas import AmountMinor, CurrencyCode, Reference
from fraud_service.api.schemas import Answer, Request
from fraud_service.domain.payments import PaymentKind
from fraud_service.domain.screening import Assessment, Decision
from fraud_service.operations.dry_run import ImaginedPayment


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise UnknownCurrency(currency)
    return currency


Currency = Annotated[
    CurrencyCode,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217 code."}),
]


class DryRunRequest(Request):
    """The facts of a payment by which it would be screened."""

    client_id: Reference
    # Strict bodies take no member of an enum from JSON but by its value.
    kind: Annotated[PaymentKind, Field(strict=False)]
    debtor: Reference
    creditor: Reference
    amount_minor: AmountMinor
    currency: Currency

    def imagined(self) -> ImaginedPayment:
        """Read the payment."""
        return ImaginedPayment(
            client_id=self.client_id,
            kind=self.kind,
            debtor=self.debtor,
            creditor=self.creditor,
            amount=Money(self.amount_minor, self.currency),
        )


class DryRunAnswer(Answer):
    """What screening would say now."""

    decision: Decision
    score: int
    reasons: list[str]
    rules_version: int

    @classmethod
    def of(cls, assessment: Assessment) -> Self:
        """Tell an assessment."""
        return cls(
            decision=assessment.decision,
            score=assessment.score,
            reasons=list(assessment.reasons),
            rules_version=assessment.rules_version,
        )
