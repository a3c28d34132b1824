"""/v1/accounts/{account}/receivable-collections: what is owed for reversals is paid back."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER

from account_service.api.parts import NOT_ALLOWED, AccountParts, AccountPath, IdempotencyKey, SettlementWriter
from account_service.api.schemas import AmountMinor, Line280, Request
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.operations.collect_receivable import Collected, CollectReceivable, collect_receivable


class CollectionIn(Request):
    """How much is to be paid back, in the account's currency, and why: its entries bear the reason."""

    amount_minor: AmountMinor
    reason: Line280


class CollectionOut(BaseModel):
    """What was paid back; `owed_after_minor` is what the account still owes."""

    posting_id: UUID
    account: str
    receivable_account: str
    amount_minor: int
    currency: str
    balance_after_minor: int
    owed_after_minor: int
    reason: str
    posted_at: datetime

    @classmethod
    def of(cls, command: CollectReceivable, collected: Collected) -> Self:
        """Tell a collection."""
        return cls(
            posting_id=collected.moved.posting_id,
            account=command.account,
            receivable_account=system_reference(SystemPurpose.RECEIVABLE, collected.currency),
            amount_minor=command.amount_minor,
            currency=collected.currency,
            balance_after_minor=collected.moved.balance_after_minor,
            owed_after_minor=collected.owed_after_minor,
            reason=command.reason,
            posted_at=collected.moved.posted_at,
        )


def collection_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["reversals"])

    @router.post(
        "/{account}/receivable-collections",
        status_code=201,
        summary="Collect what is owed for reversals",
        responses={200: {"model": CollectionOut}, **NOT_ALLOWED},
    )
    async def create_receivable_collection(
        account: AccountPath,
        body: CollectionIn,
        client: SettlementWriter,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
    ) -> CollectionOut:
        """A posting from the account to the client's receivable account: never more than the account owes
        there (`collection_exceeds_debt`, with `asked` and `owed_minor`) nor than is available. The same key
        and body again is answered like the first time (200, with `Idempotency-Replayed: true`) and moves
        nothing."""
        command = CollectReceivable(
            client_id=client.id,
            idempotency_key=key,
            account=account,
            amount_minor=body.amount_minor,
            reason=body.reason,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            collected = await collect_receivable(connection, command, clock=parts.clock, new_id=parts.new_id)
        if collected.moved.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return CollectionOut.of(command, collected)

    return router
