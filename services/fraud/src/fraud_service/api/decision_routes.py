"""/v1/decisions: why a payment was approved, held or declined."""

from uuid import UUID

from fastapi import APIRouter
from service_kit.audit import Audited
from service_kit.clock import Clock
from service_kit.database import Database

from fraud_service.api.access import ReviewReader, visible_to
from fraud_service.api.reading_log import ReadingLog
from fraud_service.api.review_schemas import DecisionAnswer
from fraud_service.operations.explain_decision import explain_decision


def decision_routes(database: Database, clock: Clock) -> APIRouter:
    """The routes, on one database and clock."""
    router = APIRouter(prefix="/v1/decisions", tags=["decisions"])
    log = ReadingLog(database, clock)

    @router.get("/{payment_id}", summary="The decision about one payment, explained")
    async def get_decision(payment_id: UUID, client: ReviewReader, origin: Audited) -> DecisionAnswer:
        async with database.snapshot() as connection:
            decision = await explain_decision(connection, payment_id, visible_to=visible_to(client))
        await log.read(origin, "decision.read", [decision.assessment.payment])
        return DecisionAnswer.of(decision)

    return router
