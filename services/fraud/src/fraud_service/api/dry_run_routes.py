"""/v1/dry-runs: what screening would say of a payment, asked by the service that would make it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.database import Database

from fraud_service.api.dry_run_schemas import DryRunAnswer, DryRunRequest
from fraud_service.operations.dry_run import dry_run
from fraud_service.operations.screen_payments import RuleBook

# Whoever holds it asks about any client's payments: it is for services, not for clients.
Asker = Annotated[Client, Depends(requires("dry-run:ask"))]


def dry_run_routes(database: Database, clock: Clock) -> APIRouter:
    """The route, on one database and clock."""
    router = APIRouter(prefix="/v1/dry-runs", tags=["dry runs"])
    book = RuleBook()

    @router.post("", summary="What screening would say of a payment")
    async def ask(body: DryRunRequest, _client: Asker) -> DryRunAnswer:
        """The decision of the rules as they are now, on top of what was counted so far. Changes nothing: the
        payment is neither kept nor counted."""
        async with database.snapshot() as connection:
            return DryRunAnswer.of(await dry_run(connection, body.imagined(), book=book, clock=clock))

    return router
