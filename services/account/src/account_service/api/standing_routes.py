"""/v1/accounts/{account}: its state, its overdraft and what is held of it, each with its history."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from service_kit.audit import Audited
from service_kit.auth import demand
from service_kit.cursors import Listing

from account_service.api.parts import (
    NOT_ALLOWED,
    AccountParts,
    AccountPath,
    Freezer,
    Reader,
    Writer,
    only_tightens,
)
from account_service.api.queries import HoldsQuery, Page, newest_first
from account_service.api.schemas import AccountOut, StateChangeOut, StateChangePage, StateIn
from account_service.api.standing_schemas import (
    HoldOut,
    HoldPage,
    OverdraftChangeOut,
    OverdraftChangePage,
    OverdraftIn,
)
from account_service.domain.account import AccountState
from account_service.operations.change_overdraft import ChangeOverdraft, change_overdraft
from account_service.operations.change_state import ChangeState, change_state
from account_service.operations.read_accounts import read_account
from account_service.persistence.holds import LAST_PAYMENT, list_holds
from account_service.persistence.overdraft_changes import list_overdraft_changes
from account_service.persistence.state_changes import list_state_changes


def standing_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
    _add_state(router, parts)
    _add_overdraft(router, parts)
    _add_holds(router, parts)
    return router


def _add_state(router: APIRouter, parts: AccountParts) -> None:
    @router.post("/{account}/state", summary="Freeze, unfreeze or close", responses=NOT_ALLOWED)
    async def set_account_state(
        account: AccountPath, body: StateIn, client: Freezer, origin: Audited
    ) -> AccountOut:
        """ACTIVE lets money in and out, FROZEN neither, DEBIT_FROZEN only in, CREDIT_FROZEN only out; CLOSING
        lets its own money out and captures from holds, and nothing else. CLOSED is for ever and needs a zero
        balance with no open holds. An account that is in the state already stays as it is, so that a retry is
        safe. With `accounts:freeze` alone, or by a person, nothing is let through that was not before:
        propose it."""
        if body.state in ("CLOSING", "CLOSED"):
            demand(client, "accounts:write")
        command = ChangeState(
            client_id=client.id,
            account=account,
            state=AccountState(body.state),
            reason=body.reason,
            origin=origin,
            only_tighten=only_tightens(client),
        )
        async with parts.database.transaction() as connection:
            await change_state(connection, command, clock=parts.clock)
            return AccountOut.of(await read_account(connection, client.id, account), parts.vault)

    @router.get("/{account}/state-changes", summary="The history of the account's states")
    async def list_account_state_changes(
        account: AccountPath, client: Reader, query: Annotated[Page, Query()]
    ) -> StateChangePage:
        """Newest first, each with its reason and author."""
        listing = newest_first(f"state-changes {account}", query)
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            changes = await list_state_changes(
                connection, record.account.id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(changes, lambda row: row[0])
        return StateChangePage(
            items=[StateChangeOut.of(change) for _, change in page], next_cursor=next_cursor
        )


def _add_overdraft(router: APIRouter, parts: AccountParts) -> None:
    @router.put("/{account}/overdraft", summary="Change the overdraft", responses=NOT_ALLOWED)
    async def set_account_overdraft(
        account: AccountPath, body: OverdraftIn, client: Writer, origin: Audited
    ) -> AccountOut:
        """How far below zero the balance may go; never less than what is used of it, holds counted. The same
        overdraft again is no change, so that a retry is safe. A person may lower it, and propose a higher
        one."""
        command = ChangeOverdraft(
            client_id=client.id,
            account=account,
            overdraft_minor=body.overdraft_minor,
            reason=body.reason,
            origin=origin,
            only_tighten=only_tightens(client),
        )
        async with parts.database.transaction() as connection:
            await change_overdraft(connection, command, clock=parts.clock)
            return AccountOut.of(await read_account(connection, client.id, account), parts.vault)

    @router.get("/{account}/overdraft-changes", summary="The history of the account's overdraft")
    async def list_account_overdraft_changes(
        account: AccountPath, client: Reader, query: Annotated[Page, Query()]
    ) -> OverdraftChangePage:
        """Newest first, each with its reason and author; the overdraft it opened with is no change."""
        listing = newest_first(f"overdraft-changes {account}", query)
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            changes = await list_overdraft_changes(
                connection, record.account.id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(changes, lambda row: row[0])
        return OverdraftChangePage(
            items=[OverdraftChangeOut.of(change) for _, change in page], next_cursor=next_cursor
        )


def _add_holds(router: APIRouter, parts: AccountParts) -> None:
    @router.get("/{account}/holds", summary="What is or was held of the account's money")
    async def list_account_holds(
        account: AccountPath, client: Reader, query: Annotated[HoldsQuery, Query()]
    ) -> HoldPage:
        """By payment id, the latest first; each with what became of it, by whom and why."""
        name = f"holds {account} {query.state}"
        listing = Listing(name, query.cursor, query.limit, start=LAST_PAYMENT, read=UUID)
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            holds = await list_holds(
                connection,
                record.account.id,
                before=listing.position,
                state=query.state,
                limit=listing.rows,
            )
        page, next_cursor = listing.page(holds, lambda row: row.payment_id)
        return HoldPage(items=[HoldOut.of(hold) for hold in page], next_cursor=next_cursor)
