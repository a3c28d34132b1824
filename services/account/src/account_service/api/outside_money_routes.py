"""/v1/accounts/{account}/deposits and …/withdrawals: money in from outside, and out to it."""

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER
from service_kit.proposals.proposal import ApprovalRequired

from account_service.api.outside_money_schemas import DepositIn, DepositOut, WithdrawalIn, WithdrawalOut
from account_service.api.parts import (
    NOT_ALLOWED,
    AccountParts,
    AccountPath,
    IdempotencyKey,
    Withdrawer,
    Writer,
)
from account_service.domain.posting import PostingKind
from account_service.operations.movements import MoneyMoved
from account_service.operations.outside_money import MoveOutsideMoney, move_outside_money


def outside_money_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    async def move(command: MoveOutsideMoney, response: Response) -> MoneyMoved:
        async with parts.database.transaction() as connection:
            moved = await move_outside_money(connection, command, clock=parts.clock, new_id=parts.new_id)
        if moved.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return moved

    @router.post(
        "/{account}/deposits",
        status_code=201,
        summary="Pay in",
        responses={200: {"model": DepositOut}, **NOT_ALLOWED},
    )
    async def create_deposit(
        account: AccountPath,
        body: DepositIn,
        client: Writer,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
    ) -> DepositOut:
        """A posting from a settlement account of the client's. The same key and body again is answered like
        the first time (200, with `Idempotency-Replayed: true`) and moves nothing. By systems: a person who
        pays in by hand proposes an adjustment."""
        if client.is_person:
            raise ApprovalRequired("adjustment")
        payment = body.payment(account)
        command = MoveOutsideMoney(PostingKind.DEPOSIT, client.id, key, payment, origin)
        return DepositOut.of(payment, await move(command, response))

    @router.post(
        "/{account}/withdrawals",
        status_code=201,
        summary="Pay out",
        responses={200: {"model": WithdrawalOut}, **NOT_ALLOWED},
    )
    async def create_withdrawal(
        account: AccountPath,
        body: WithdrawalIn,
        client: Withdrawer,
        origin: Audited,
        key: IdempotencyKey,
        response: Response,
    ) -> WithdrawalOut:
        """A posting to a settlement account of the client's, under the rules of every other: state, currency,
        what is available. Replayed like a deposit."""
        payment = body.payment(account)
        command = MoveOutsideMoney(PostingKind.WITHDRAWAL, client.id, key, payment, origin)
        return WithdrawalOut.of(payment, await move(command, response))

    return router
