"""/v1/decisions: why a payment was approved, held or declined."""

from uuid import UUID

from fastapi import APIRouter
from service_kit.database import Database

from fraud_service.api.access import ReviewReader, visible_to
from fraud_service.api.review_schemas import DecisionAnswer
from fraud_service.operations.explain_decision import explain_decision


def decision_routes(database: Database) -> APIRouter:
    """The routes, on one database."""
    router = APIRouter(prefix="/v1/decisions", tags=["decisions"])

    @router.get("/{payment_id}", summary="The decision about one payment, explained")
    async def get_decision(payment_id: UUID, client: ReviewReader) -> DecisionAnswer:
        async with database.snapshot() as connection:
            return DecisionAnswer.of(
                await explain_decision(connection, payment_id, visible_to=visible_to(client))
            )

    return router
