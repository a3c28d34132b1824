"""Explain the decision about one payment: what was known, which rules fired, by which version."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.persistence import decisions
from fraud_service.persistence.decisions import DecisionRecord


class DecisionNotFound(LookupError):
    """No decision about this payment exists that the caller may see."""

    code = "decision_not_found"

    def __init__(self, payment_id: UUID) -> None:
        super().__init__(f"no decision about payment {payment_id}")
        self.payment_id = payment_id


async def explain_decision(
    connection: AsyncConnection, payment_id: UUID, *, visible_to: str | None
) -> DecisionRecord:
    """The decision as it was kept; raises `DecisionNotFound`, the same for absent ones and other clients'."""
    record = await decisions.load_decision(connection, payment_id)
    if record is None or (visible_to is not None and record.assessment.payment.client_id != visible_to):
        raise DecisionNotFound(payment_id)
    return record
