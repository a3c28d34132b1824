"""/v1/accounts: accounts, balances and entries, as of one instant each."""

from typing import Annotated

from fastapi import APIRouter, Query
from service_kit.cursors import Listing
from service_kit.field_errors import FieldError
from service_kit.problems import invalid_request

from account_service.api.parts import AccountParts, AccountPath, Reader
from account_service.api.queries import AccountsQuery, BalanceQuery, EntriesQuery, read_position
from account_service.api.schemas import (
    AccountOut,
    AccountPage,
    BalanceOut,
    EntryOut,
    EntryPage,
    PastBalanceOut,
)
from account_service.operations.read_accounts import read_account
from account_service.operations.read_statement import read_bounds, read_past_balance
from account_service.persistence.accounts import list_accounts
from account_service.persistence.entries import MAX_ENTRY_NUMBER, EntryWindow, list_entries


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
        name = f"accounts {query.kind} {query.state} {query.currency}"
        listing = Listing(name, query.cursor, query.limit, start=0, read=read_position)
        async with parts.database.snapshot() as connection:
            records = await list_accounts(
                connection,
                client.id,
                after=listing.position,
                limit=listing.rows,
                kind=query.kind,
                state=query.state,
                currency=query.currency,
            )
        page, next_cursor = listing.page(records, lambda row: row.account.id)
        return AccountPage(
            items=[AccountOut.of(record, parts.vault) for record in page], next_cursor=next_cursor
        )

    @router.get("/{account}", summary="One account")
    async def get_account(account: AccountPath, client: Reader) -> AccountOut:
        """The account as it stands."""
        async with parts.database.snapshot() as connection:
            return AccountOut.of(await read_account(connection, client.id, account), parts.vault)

    @router.get("/{account}/balance", summary="The balance alone, now or at an instant")
    async def get_balance(
        account: AccountPath, client: Reader, query: Annotated[BalanceQuery, Query()]
    ) -> BalanceOut | PastBalanceOut:
        """Posted, held and available now; with `at`, what was posted and held up to and with that instant. An
        instant of the last few seconds may still change: what is done is timed a moment before its commit."""
        if query.at is None:
            async with parts.database.snapshot() as connection:
                record = await read_account(connection, client.id, account)
            return BalanceOut.of_account(record.account)
        if query.at > parts.clock.now():
            raise invalid_request(FieldError("at", "must not lie in the future", "in_the_future"))
        async with parts.database.snapshot() as connection:
            return PastBalanceOut.of(await read_past_balance(connection, client.id, account, query.at))


def _add_histories(router: APIRouter, parts: AccountParts) -> None:
    @router.get("/{account}/entries", summary="Entries with the running balance")
    async def list_account_entries(
        account: AccountPath, client: Reader, query: Annotated[EntriesQuery, Query()]
    ) -> EntryPage:
        """Newest first, or oldest first with `order=asc`."""
        newest_first = query.order == "desc"
        listing = Listing(
            f"entries {account} {query.order}",
            query.cursor,
            query.limit,
            start=MAX_ENTRY_NUMBER if newest_first else 0,
            read=read_position,
        )
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            first, last = await read_bounds(connection, record.account.id, query.posted_from, query.posted_to)
            window = EntryWindow(
                above=first if newest_first else max(first, listing.position),
                below=min(last + 1, listing.position) if newest_first else last + 1,
                newest_first=newest_first,
            )
            entries = await list_entries(connection, record.account.id, window, limit=listing.rows)
        page, next_cursor = listing.page(entries, lambda row: row.entry_number)
        return EntryPage(items=[EntryOut.of(entry) for entry in page], next_cursor=next_cursor)
