"""/v1/accounts: accounts, balances, entries and the history of states, as of one instant each."""

from typing import Annotated

from fastapi import APIRouter, Query
from service_kit.cursors import decode_cursor, encode_cursor

from account_service.api.parts import AccountParts, AccountPath, Reader
from account_service.api.queries import AccountsQuery, EntriesQuery, Page, read_position
from account_service.api.schemas import (
    AccountOut,
    AccountPage,
    BalanceOut,
    EntryOut,
    EntryPage,
    StateChangeOut,
    StateChangePage,
)
from account_service.operations.read_accounts import read_account
from account_service.persistence.accounts import list_accounts
from account_service.persistence.entries import MAX_ENTRY_NUMBER, EntryWindow, list_entries
from account_service.persistence.state_changes import list_state_changes


def reading_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
    _add_accounts(router, parts)
    _add_histories(router, parts)
    return router


def _add_accounts(router: APIRouter, parts: AccountParts) -> None:
    @router.get("", summary="Accounts, in the order in which they were opened")
    async def list_client_accounts(client: Reader, query: Annotated[AccountsQuery, Query()]) -> AccountPage:
        """A page is read in one instant: within it no movement is seen half."""
        listing = f"accounts {query.kind} {query.state} {query.currency}"
        after = decode_cursor(listing, query.cursor, read=read_position) if query.cursor is not None else 0
        async with parts.database.snapshot() as connection:
            records = await list_accounts(
                connection,
                client.id,
                after=after,
                limit=query.limit + 1,
                kind=query.kind,
                state=query.state,
                currency=query.currency,
            )
        page, more = records[: query.limit], len(records) > query.limit
        return AccountPage(
            items=[AccountOut.of(record) for record in page],
            next_cursor=encode_cursor(listing, str(page[-1].account.id)) if more else None,
        )

    @router.get("/{account}", summary="One account")
    async def get_account(account: AccountPath, client: Reader) -> AccountOut:
        """The account as it stands."""
        async with parts.database.snapshot() as connection:
            return AccountOut.of(await read_account(connection, client.id, account))

    @router.get("/{account}/balance", summary="The balance alone")
    async def get_balance(account: AccountPath, client: Reader) -> BalanceOut:
        """Posted, held and available."""
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
        return BalanceOut.of_account(record.account)


def _add_histories(router: APIRouter, parts: AccountParts) -> None:
    @router.get("/{account}/entries", summary="Entries with the running balance")
    async def list_account_entries(
        account: AccountPath, client: Reader, query: Annotated[EntriesQuery, Query()]
    ) -> EntryPage:
        """Newest first, or oldest first with `order=asc`."""
        listing = f"entries {account} {query.order}"
        newest_first = query.order == "desc"
        start = MAX_ENTRY_NUMBER if newest_first else 0
        if query.cursor is not None:
            start = decode_cursor(listing, query.cursor, read=read_position)
        window = EntryWindow(
            above=0 if newest_first else start,
            below=start if newest_first else MAX_ENTRY_NUMBER,
            posted_from=query.posted_from,
            posted_to=query.posted_to,
            newest_first=newest_first,
        )
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            entries = await list_entries(connection, record.account.id, window, limit=query.limit + 1)
        page, more = entries[: query.limit], len(entries) > query.limit
        return EntryPage(
            items=[EntryOut.of(entry) for entry in page],
            next_cursor=encode_cursor(listing, str(page[-1].entry_number)) if more else None,
        )

    @router.get("/{account}/state-changes", summary="The history of the account's states")
    async def list_account_state_changes(
        account: AccountPath, client: Reader, query: Annotated[Page, Query()]
    ) -> StateChangePage:
        """Newest first, each with its reason and author."""
        listing = f"state-changes {account}"
        before = MAX_ENTRY_NUMBER
        if query.cursor is not None:
            before = decode_cursor(listing, query.cursor, read=read_position)
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            changes = await list_state_changes(
                connection, record.account.id, before=before, limit=query.limit + 1
            )
        page, more = changes[: query.limit], len(changes) > query.limit
        return StateChangePage(
            items=[StateChangeOut.of(change) for _, change in page],
            next_cursor=encode_cursor(listing, str(page[-1][0])) if more else None,
        )
