"""/v1/settlement-accounts: the named places from which money comes and to which it goes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from service_kit.audit import Audited
from service_kit.cursors import Listing

from account_service.api.outside_money_schemas import (
    SettlementAccountIn,
    SettlementAccountOut,
    SettlementAccountPage,
)
from account_service.api.parts import AccountParts, Reader, SettlementWriter
from account_service.api.queries import SettlementAccountsQuery, read_reference
from account_service.domain.naming import SETTLEMENT_PREFIX
from account_service.operations.open_settlement_account import OpenSettlementAccount, open_settlement_account
from account_service.persistence.accounts import list_system_accounts


def settlement_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/settlement-accounts", tags=["settlement accounts"])

    @router.post(
        "",
        status_code=201,
        summary="Open a settlement account",
        responses={200: {"model": SettlementAccountOut}},
    )
    async def create_settlement_account(
        body: SettlementAccountIn, client: SettlementWriter, origin: Audited, response: Response
    ) -> SettlementAccountOut:
        """Deposits and withdrawals may then name it. The name is its key: asked again, the account is told as
        it stands (200). It goes below zero by what has come in through it, without a limit."""
        command = OpenSettlementAccount(client.id, body.name, body.currency, origin)
        async with parts.database.transaction() as connection:
            record, opened = await open_settlement_account(connection, command, clock=parts.clock)
        response.headers["Location"] = f"/v1/accounts/{record.account.reference}"
        if not opened:
            response.status_code = 200
        return SettlementAccountOut.of_record(record)

    @router.get("", summary="Settlement accounts")
    async def list_settlement_accounts(
        client: Reader, query: Annotated[SettlementAccountsQuery, Query()]
    ) -> SettlementAccountPage:
        """By reference, with what has gone in and out through each."""
        name = f"settlement-accounts {query.currency}"
        listing = Listing(name, query.cursor, query.limit, start="", read=read_reference)
        async with parts.database.snapshot() as connection:
            records = await list_system_accounts(
                connection,
                client.id,
                prefix=SETTLEMENT_PREFIX,
                after=listing.position,
                limit=listing.rows,
                currency=query.currency,
            )
        page, next_cursor = listing.page(records, lambda row: row.account.reference)
        return SettlementAccountPage(
            items=[SettlementAccountOut.of_record(record) for record in page], next_cursor=next_cursor
        )

    return router
