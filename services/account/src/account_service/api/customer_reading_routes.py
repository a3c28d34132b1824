"""/v1/customers, read: who they are, what they hold, and all that has moved on their accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from contracts.handles import HandleKind
from fastapi import APIRouter, Query
from service_kit.audit import Audited, Entry, Origin, record
from service_kit.cursors import Listing

from account_service.api.customer_schemas import (
    CustomerAccounts,
    CustomerEntryOut,
    CustomerEntryPage,
    CustomerOut,
    CustomerPage,
    CustomersQuery,
    HistoryQuery,
    KycEventOut,
    KycEventPage,
    canonical_contact,
)
from account_service.api.parts import AccountParts, CustomerPath, Reader
from account_service.api.queries import Page
from account_service.api.schemas import AccountOut
from account_service.domain.customer import Customer, CustomerNotFound
from account_service.operations.read_customers import read_customer, read_customer_accounts
from account_service.persistence.customer_accounts import (
    HistoryPosition,
    HistoryWindow,
    list_history,
    load_wallets,
)
from account_service.persistence.customers import find_by_handle, list_customers, load_key
from account_service.persistence.entries import MAX_ENTRY_NUMBER
from account_service.persistence.kyc_events import list_kyc_events

_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
_BEGINNING = HistoryPosition(datetime(1, 1, 2, tzinfo=UTC), 0, 0)
_END = HistoryPosition(datetime(9999, 12, 30, tzinfo=UTC), MAX_ENTRY_NUMBER, MAX_ENTRY_NUMBER)


def customer_reading_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    _add_customers(router, parts)
    _add_histories(router, parts)
    return router


def _add_customers(router: APIRouter, parts: AccountParts) -> None:
    @router.get("", summary="Customers, or the one with a mobile number or e-mail address")
    async def list_client_customers(
        client: Reader, origin: Audited, query: Annotated[CustomersQuery, Query()]
    ) -> CustomerPage:
        """In the order in which they were registered; `mobile` (its `+` written `%2B`) or `email` finds one,
        in any spelling. What is looked for stands in no log and no trace."""
        region = query.region or parts.default_region
        mobile, email = canonical_contact(mobile=query.mobile, email=query.email, region=region)
        wanted: tuple[HandleKind, str] | None = None
        if mobile is not None or email is not None:
            wanted = ("mobile", mobile) if mobile is not None else ("email", email or "")
        listing = Listing("customers", query.cursor, query.limit, start=_FIRST_ID, read=UUID)
        async with parts.database.snapshot() as connection:
            if wanted is not None:
                found = await find_by_handle(connection, parts.vault, client.id, *wanted)
                customers: list[Customer] = [] if found is None else [found]
            else:
                customers = await list_customers(
                    connection, parts.vault, client.id, after=listing.position, limit=listing.rows
                )
            wallets = await load_wallets(connection, [customer.id for customer in customers])
        page, next_cursor = listing.page(customers, lambda row: row.id)
        asked = {"mobile": mobile, "email": email, "customers": [customer.id for customer in page]}
        await _write_down(parts, origin, "customers.listed", asked)
        return CustomerPage(
            items=[CustomerOut.of(customer, wallets[customer.id]) for customer in page],
            next_cursor=next_cursor,
        )

    @router.get("/{customer_id}", summary="One customer")
    async def get_customer(customer_id: CustomerPath, client: Reader, origin: Audited) -> CustomerOut:
        """The customer as known now."""
        async with parts.database.snapshot() as connection:
            customer = await read_customer(connection, parts.vault, client.id, customer_id)
            wallets = await load_wallets(connection, [customer_id])
        await _write_down(parts, origin, "customer.read", customer_id)
        return CustomerOut.of(customer, wallets[customer_id])

    @router.get("/{customer_id}/accounts", summary="The customer's accounts")
    async def list_customer_accounts(
        customer_id: CustomerPath, client: Reader, origin: Audited
    ) -> CustomerAccounts:
        """One a currency, as they stand."""
        async with parts.database.snapshot() as connection:
            records = await read_customer_accounts(connection, parts.vault, client.id, customer_id)
        await _write_down(parts, origin, "customer.accounts-read", customer_id)
        return CustomerAccounts(items=[AccountOut.of(record, parts.vault) for record in records])


def _add_histories(router: APIRouter, parts: AccountParts) -> None:
    @router.get("/{customer_id}/entries", summary="Entries of all the customer's accounts")
    async def list_customer_entries(
        customer_id: CustomerPath, client: Reader, origin: Audited, query: Annotated[HistoryQuery, Query()]
    ) -> CustomerEntryPage:
        """Newest first, or oldest first with `order=asc`; the running balance is the account's own."""
        newest_first = query.order == "desc"
        listing = Listing(
            f"customer-entries {customer_id} {query.order}",
            query.cursor,
            query.limit,
            start=_END if newest_first else _BEGINNING,
            read=_read_position,
        )
        window = HistoryWindow(
            after=listing.position,
            posted_from=query.posted_from,
            posted_to=query.posted_to,
            newest_first=newest_first,
        )
        async with parts.database.snapshot() as connection:
            await read_customer(connection, parts.vault, client.id, customer_id)
            entries = await list_history(connection, customer_id, window, limit=listing.rows)
        page, next_cursor = listing.page(entries, lambda entry: _write_position(entry.position))
        await _write_down(parts, origin, "customer.entries-read", customer_id)
        return CustomerEntryPage(
            items=[CustomerEntryOut.of_history(entry) for entry in page], next_cursor=next_cursor
        )

    @router.get("/{customer_id}/kyc-events", summary="The history of the customer's levels")
    async def list_customer_kyc_events(
        customer_id: CustomerPath, client: Reader, origin: Audited, query: Annotated[Page, Query()]
    ) -> KycEventPage:
        """Newest first, each with its reason and author."""
        name = f"kyc-events {customer_id}"
        listing = Listing(name, query.cursor, query.limit, start=_LAST_ID, read=UUID)
        async with parts.database.snapshot() as connection:
            key = await load_key(connection, parts.vault, client.id, customer_id)
            if key is None:
                raise CustomerNotFound
            events = await list_kyc_events(
                connection, key, customer_id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(events, lambda row: row.id)
        await _write_down(parts, origin, "customer.kyc-read", customer_id)
        return KycEventPage(items=[KycEventOut.of(event) for event in page], next_cursor=next_cursor)


async def _write_down(
    parts: AccountParts, origin: Origin, action: str, read: UUID | Mapping[str, Any]
) -> None:
    """Record who has opened whose personal data, before it is answered."""
    assert origin.client_id is not None, "a caller belongs to a client"
    if isinstance(read, UUID):
        entry = Entry(action=action, subject_type="customer", subject=str(read))
    else:
        entry = Entry(action=action, subject_type="client", subject=origin.client_id, after=read)
    async with parts.database.transaction() as connection:
        await record(connection, origin, entry, at=parts.clock.now())


def _write_position(position: HistoryPosition) -> str:
    return f"{position.posted_at.isoformat()} {position.account_id} {position.entry_number}"


def _read_position(text: str) -> HistoryPosition:
    """A cursor's position; ValueError for anything else, however well its checksum fits."""
    instant, account, number = text.split(" ")
    posted_at, account_id, entry_number = datetime.fromisoformat(instant), int(account), int(number)
    if posted_at.tzinfo is None or not (
        0 <= account_id <= MAX_ENTRY_NUMBER and 0 <= entry_number <= MAX_ENTRY_NUMBER
    ):
        raise ValueError("no position")
    return HistoryPosition(posted_at, account_id, entry_number)
