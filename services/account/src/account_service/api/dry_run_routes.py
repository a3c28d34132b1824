"""/v1/dry-runs: what the ledger would make of a payment, asked by the service that would make it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from service_kit.auth import Client, requires

from account_service.api.dry_run_schemas import DryRunIn, DryRunOut
from account_service.api.parts import AccountParts
from account_service.operations.dry_run import dry_run

# Whoever holds it asks about any client's accounts: it is for services, not for clients.
Asker = Annotated[Client, Depends(requires("dry-run:ask"))]


def dry_run_routes(parts: AccountParts) -> APIRouter:
    """The route, on these parts."""
    router = APIRouter(prefix="/v1/dry-runs", tags=["dry runs"])

    @router.post("", summary="What the ledger would make of a payment")
    async def ask(body: DryRunIn, _client: Asker) -> DryRunOut:
        """The deciding of the real thing, on the accounts as they stand, in a transaction that can only read.
        What happens before the payment is made may change the answer."""
        async with parts.database.snapshot() as connection:
            return DryRunOut.of(await dry_run(connection, body.imagined(), clock=parts.clock))

    return router
