"""GET /v1/payments: follow one payment, look for many."""

from typing import Annotated, Literal
from uuid import UUID

from contracts.money import MAX_AMOUNT_MINOR
from fastapi import APIRouter, Query, Response
from service_kit.cursors import Cursor, Limit, Listing
from service_kit.field_errors import FieldError
from service_kit.parameters import Instant
from service_kit.problems import invalid_request
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.api.answers import PaymentDetail, PaymentPage
from transaction_service.api.parties import AccountReference
from transaction_service.api.parts import PaymentParts, Prefer, Reader, load_history, wait
from transaction_service.api.schemas import Currency, Reference
from transaction_service.domain.lifecycle import Status
from transaction_service.domain.party import PartyNotFound
from transaction_service.domain.payment import Kind
from transaction_service.persistence.parties import accounts_of
from transaction_service.persistence.search import PaymentFilter, find

FilterAmount = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT_MINOR)]
FilterTime = Annotated[Instant | None, Query(description="RFC 3339 with an offset from UTC.")]
FilterMetadata = Annotated[
    list[Annotated[str, Query(max_length=541)]] | None,
    Query(max_length=5, description="`key:value`, exactly; more than one must all be there."),
]


def add_reading_routes(router: APIRouter, parts: PaymentParts) -> None:
    """Add the routes, on these parts."""
    _add_search(router, parts)
    _add_payment(router, parts)


def _add_search(router: APIRouter, parts: PaymentParts) -> None:
    @router.get("", summary="Payments, newest first")
    async def list_payments(
        client: Reader,
        account: AccountReference | None = None,
        debtor: AccountReference | None = None,
        creditor: AccountReference | None = None,
        customer_id: UUID | None = None,
        status: Status | None = None,
        currency: Currency | None = None,
        reference: Reference | None = None,
        metadata: FilterMetadata = None,
        kind: Kind | None = None,
        capture: Literal["immediate", "manual"] | None = None,
        reverses: UUID | None = None,
        captures: UUID | None = None,
        amount_from_minor: FilterAmount = None,
        amount_to_minor: FilterAmount = None,
        created_from: FilterTime = None,
        created_to: FilterTime = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> PaymentPage:
        """`account` finds payments from or to it, `customer_id` those from or to an account of the customer.
        Amounts are inclusive; times from inclusive, to exclusive. All filters together must fit. A page looks
        at a bounded number of payments: while `next_cursor` is not null there may be more, even behind a page
        that is not full."""
        listing = Listing[UUID | None]("payments", cursor, limit, start=None, read=UUID)
        pairs = _pairs(metadata or [])
        async with parts.database.snapshot() as connection:
            wanted = PaymentFilter(
                client_id=client.id,
                accounts=await _accounts(connection, client.id, account, customer_id),
                debtor=debtor,
                creditor=creditor,
                status=status,
                currency=currency,
                reference=reference,
                metadata=pairs,
                kind=kind,
                capture=capture,
                reverses=reverses,
                captures=captures,
                amount_from_minor=amount_from_minor,
                amount_to_minor=amount_to_minor,
                created_from=created_from,
                created_to=created_to,
            )
            found = await find(connection, wanted, before=listing.position, limit=limit)
        rest = None if found.rest_before is None else listing.cursor_at(found.rest_before)
        return PaymentPage.of(found.views, rest)


def _add_payment(router: APIRouter, parts: PaymentParts) -> None:
    @router.get("/{payment_id}", summary="One payment with its lifecycle")
    async def get_payment(
        payment_id: UUID, client: Reader, response: Response, prefer: Prefer = None
    ) -> PaymentDetail:
        """With `Prefer: wait=N` answers as soon as the payment is final, or with what it is after N
        seconds."""
        found = await load_history(parts, payment_id, client_id=client.id)
        if prefer is not None:
            # Not before the look: the time taken would tell a stranger that the payment exists.
            await wait(parts, payment_id, response, prefer)
            found = await load_history(parts, payment_id, client_id=client.id)
        return PaymentDetail.of_history(found)


async def _accounts(
    connection: AsyncConnection, client_id: str, account: str | None, customer_id: UUID | None
) -> tuple[str, ...] | None:
    """Of one of which a payment must be, None for any. Raises `PartyNotFound`, and 422 for both at once."""
    if customer_id is None:
        return None if account is None else (account,)
    if account is not None:
        raise invalid_request(FieldError("customer_id", "or account, not both", "only_one_of"))
    accounts = await accounts_of(connection, client_id=client_id, customer_id=customer_id)
    if not accounts:
        raise PartyNotFound("customer_id")
    return accounts


def _pairs(texts: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = tuple(text.partition(":") for text in texts)
    if any(not separator or not key for key, separator, _ in pairs):
        fault = FieldError("metadata", "must be a key, a colon and a value", "bad_format")
        raise invalid_request(fault)
    return tuple((key, value) for key, _, value in pairs)
