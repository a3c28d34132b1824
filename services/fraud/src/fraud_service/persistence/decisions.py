"""Decisions: append-only, each with its inputs, so that any of them can be explained and made again."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.money import Money
from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.rules import Action
from fraud_service.domain.screening import Assessment, Decision, FiredRule


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """An assessment as it was kept."""

    assessment: Assessment
    decided_at: datetime


_PAYMENT = "payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reference, created_at"
_KNOWN = Statement(f"SELECT {_PAYMENT} FROM decisions WHERE payment_id = ANY(CAST(:ids AS uuid[]))")  # noqa: S608
_ONE = text(
    f"SELECT {_PAYMENT}, decision, score, reasons, rules_version, fired, velocity, decided_at "  # noqa: S608
    "FROM decisions WHERE payment_id = :payment_id"
)
_SAVE = Statement(
    """
    WITH kept AS (
        INSERT INTO decisions (payment_id, client_id, kind, debtor, creditor, amount_minor, currency,
                               reference, created_at, decision, score, reasons, rules_version, fired,
                               velocity, event_id, decided_at)
        SELECT payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reference,
               created_at, decision, score, reasons::jsonb, CAST(:rules_version AS integer), fired::jsonb,
               velocity::jsonb,
               event_id, CAST(:decided_at AS timestamptz)
        FROM unnest(CAST(:payment_ids AS uuid[]), CAST(:client_ids AS text[]), CAST(:kinds AS text[]),
                    CAST(:debtors AS text[]), CAST(:creditors AS text[]), CAST(:amounts AS bigint[]),
                    CAST(:currencies AS text[]), CAST(:reference_texts AS text[]),
                    CAST(:created_ats AS timestamptz[]), CAST(:decisions AS text[]),
                    CAST(:scores AS smallint[]), CAST(:reasons AS text[]), CAST(:fired AS text[]),
                    CAST(:velocities AS text[]), CAST(:event_ids AS uuid[]))
             AS assessed (payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reference,
                          created_at, decision, score, reasons, fired, velocity, event_id)
        RETURNING payment_id, client_id, decision, decided_at)
    INSERT INTO review_queue (payment_id, client_id, opened_at)
    SELECT payment_id, client_id, decided_at FROM kept WHERE decision = 'review'
    """
)


async def load_screened(
    connection: AsyncConnection, payment_ids: Collection[UUID]
) -> Mapping[UUID, ScreenedPayment]:
    """Those of the payments that have a decision, with the inputs it was made on."""
    rows = await _KNOWN.rows(connection, {"ids": list(payment_ids)})
    return {row[0]: payment_of(row) for row in rows}


async def load_decision(connection: AsyncConnection, payment_id: UUID) -> DecisionRecord | None:
    """One payment's decision, or None if it was not screened."""
    row = (await connection.execute(_ONE, {"payment_id": payment_id})).one_or_none()
    if row is None:
        return None
    assessment = Assessment(
        payment=payment_of(row),
        decision=Decision(row.decision),
        score=row.score,
        reasons=tuple(row.reasons),
        rules_version=row.rules_version,
        fired=tuple(FiredRule(**{**hit, "action": Action(hit["action"])}) for hit in row.fired),
        velocity=row.velocity,
    )
    return DecisionRecord(assessment, row.decided_at)


async def save_decisions(
    connection: AsyncConnection,
    assessments: Sequence[Assessment],
    *,
    rules_version: int,
    event_ids: Sequence[UUID],
    decided_at: datetime,
) -> None:
    """Keep the decisions, each under the event that asked for it, and queue those that need a person."""
    payments = [assessment.payment for assessment in assessments]
    await _SAVE.run(
        connection,
        {
            "rules_version": rules_version,
            "decided_at": decided_at,
            "payment_ids": [payment.payment_id for payment in payments],
            "client_ids": [payment.client_id for payment in payments],
            "kinds": [payment.kind.value for payment in payments],
            "debtors": [payment.debtor for payment in payments],
            "creditors": [payment.creditor for payment in payments],
            "amounts": [payment.amount.amount_minor for payment in payments],
            "currencies": [payment.amount.currency for payment in payments],
            "reference_texts": [payment.reference for payment in payments],
            "created_ats": [payment.created_at for payment in payments],
            "decisions": [assessment.decision.value for assessment in assessments],
            "scores": [assessment.score for assessment in assessments],
            "reasons": [_json(assessment.reasons) for assessment in assessments],
            "fired": [_json([asdict(hit) for hit in assessment.fired]) for assessment in assessments],
            "velocities": [_json(assessment.velocity) for assessment in assessments],
            "event_ids": list(event_ids),
        },
    )


def payment_of(row: Sequence[Any]) -> ScreenedPayment:
    """Read the payment's columns, with which the row begins, back into the value that was screened."""
    payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reference, created_at = row[:9]
    return ScreenedPayment(
        payment_id=payment_id,
        client_id=client_id,
        kind=PaymentKind(kind),
        debtor=debtor,
        creditor=creditor,
        amount=Money(amount_minor, currency),
        reference=reference,
        created_at=created_at,
    )


def _json(value: Sequence[Any] | Mapping[str, Any]) -> str:
    if not value:  # most payments fire nothing
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value, separators=(",", ":"))
