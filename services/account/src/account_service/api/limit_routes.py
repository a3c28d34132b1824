"""Limits on what leaves accounts, and the time zone by which an account's days and months are told."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from service_kit.audit import Audited, Origin
from service_kit.auth import Client, requires
from service_kit.proposals.proposal import ApprovalRequired

from account_service.api.limit_schemas import (
    AccountLimitsOut,
    FiguresIn,
    KycLevel,
    LimitChangePage,
    LimitSetOut,
    LimitSets,
    LimitsIn,
    TimeZoneChangeOut,
    TimeZoneChangePage,
    TimeZoneIn,
)
from account_service.api.parts import AccountParts, AccountPath, Reader, conflict
from account_service.api.queries import Page, newest_first
from account_service.domain.limits import LimitScope
from account_service.operations.change_time_zone import ChangeTimeZone, change_time_zone
from account_service.operations.read_accounts import read_account
from account_service.operations.read_limits import account_subject, read_limits
from account_service.operations.set_limits import (
    SetAccountLimits,
    SetLimits,
    set_account_limits,
    set_limits,
)
from account_service.persistence.limit_sets import LimitSubject, limits_in_force, list_limit_changes
from account_service.persistence.time_zones import list_time_zone_changes

# Not `accounts:write`: who may open accounts and pay in need not be who says how much may leave them.
Limiter = Annotated[Client, Depends(requires("limits:write"))]
PageQuery = Annotated[Page, Query()]

_SYSTEM_ACCOUNT = conflict("The account belongs to the books themselves.")


def limit_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1", tags=["limits"])
    _add_defaults(router, parts)
    _add_levels(router, parts)
    _add_accounts(router, parts)
    _add_time_zones(router, parts)
    return router


def _add_defaults(router: APIRouter, parts: AccountParts) -> None:
    @router.put("/limits", summary="Set the limits of all accounts in a currency")
    async def set_default_limits(body: LimitsIn, client: Limiter, origin: Audited) -> LimitSetOut:
        """It takes the place of the one before, from the next posting on. Of each figure the strictest of
        account, KYC level and default holds. The same set again is no change, so that a retry is safe. A
        person proposes it."""
        return await _set(parts, body, client, None, origin)

    @router.get("/limits", summary="The limits of all accounts")
    async def get_default_limits(client: Reader) -> LimitSets:
        """One set for each currency that ever had one."""
        return await _in_force(parts, LimitSubject(client_id=client.id, scope=LimitScope.CLIENT))

    @router.get("/limits/changes", summary="The history of the limits of all accounts")
    async def list_default_limit_changes(client: Reader, query: PageQuery) -> LimitChangePage:
        """Newest first, each with its reason and author."""
        subject = LimitSubject(client_id=client.id, scope=LimitScope.CLIENT)
        return await _changes(parts, subject, "limit-changes", query)


def _add_levels(router: APIRouter, parts: AccountParts) -> None:
    @router.put("/limits/kyc/{level}", summary="Set the limits of a KYC level's accounts in a currency")
    async def set_level_limits(
        level: KycLevel, body: LimitsIn, client: Limiter, origin: Audited
    ) -> LimitSetOut:
        """As for all accounts, for those of customers of this level alone."""
        return await _set(parts, body, client, level, origin)

    @router.get("/limits/kyc/{level}", summary="The limits of a KYC level's accounts")
    async def get_level_limits(level: KycLevel, client: Reader) -> LimitSets:
        """One set for each currency that ever had one."""
        return await _in_force(parts, _level(client, level))

    @router.get("/limits/kyc/{level}/changes", summary="The history of a KYC level's limits")
    async def list_level_limit_changes(level: KycLevel, client: Reader, query: PageQuery) -> LimitChangePage:
        """Newest first, each with its reason and author."""
        return await _changes(parts, _level(client, level), f"limit-changes {level}", query)


def _add_accounts(router: APIRouter, parts: AccountParts) -> None:
    @router.put("/accounts/{account}/limits", summary="Set an account's limits", responses=_SYSTEM_ACCOUNT)
    async def set_limits_of_account(
        account: AccountPath, body: FiguresIn, client: Limiter, origin: Audited
    ) -> AccountLimitsOut:
        """In the account's currency, from its next posting on. Answers what holds with all other limits:
        an account's own tighten them and never loosen. A person proposes them."""
        _by_a_system(client)
        command = SetAccountLimits(
            client_id=client.id,
            account=account,
            limits=body.limits(),
            reason=body.reason,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            await set_account_limits(connection, command, clock=parts.clock)
            view = await read_limits(connection, client.id, account, clock=parts.clock)
        return AccountLimitsOut.of(view)

    @router.get("/accounts/{account}/limits", summary="What an account is held to and has used")
    async def get_limits_of_account(account: AccountPath, client: Reader) -> AccountLimitsOut:
        """Used are transfers, withdrawals and holds; a hold counts when it is placed, with its tolerance, and
        less when less has left at its end. Windows are days and months of the account's time zone."""
        async with parts.database.snapshot() as connection:
            view = await read_limits(connection, client.id, account, clock=parts.clock)
        return AccountLimitsOut.of(view)

    @router.get("/accounts/{account}/limits/changes", summary="The history of an account's limits")
    async def list_limit_changes_of_account(
        account: AccountPath, client: Reader, query: PageQuery
    ) -> LimitChangePage:
        """Newest first, each with its reason and author; those of its level and of all accounts apart."""
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
        return await _changes(parts, account_subject(record.account), f"limit-changes of {account}", query)


def _add_time_zones(router: APIRouter, parts: AccountParts) -> None:
    @router.put(
        "/accounts/{account}/time-zone",
        summary="Move an account to another time zone",
        responses=_SYSTEM_ACCOUNT,
    )
    async def set_time_zone(
        account: AccountPath, body: TimeZoneIn, client: Limiter, origin: Audited
    ) -> AccountLimitsOut:
        """The days and months of its limits are those of the time zone from now on; what has left the account
        within them counts. UTC until it is set."""
        command = ChangeTimeZone(
            client_id=client.id,
            account=account,
            time_zone=body.time_zone,
            reason=body.reason,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            await change_time_zone(connection, command, clock=parts.clock)
            view = await read_limits(connection, client.id, account, clock=parts.clock)
        return AccountLimitsOut.of(view)

    @router.get("/accounts/{account}/time-zone/changes", summary="The history of an account's time zones")
    async def list_time_zones(account: AccountPath, client: Reader, query: PageQuery) -> TimeZoneChangePage:
        """Newest first, each with its reason and author; empty for one that was never moved."""
        listing = newest_first(f"time-zones {account}", query)
        async with parts.database.snapshot() as connection:
            record = await read_account(connection, client.id, account)
            changes = await list_time_zone_changes(
                connection, record.account.id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(changes, lambda row: row.id)
        return TimeZoneChangePage(
            items=[TimeZoneChangeOut.of(change) for change in page], next_cursor=next_cursor
        )


def _level(client: Client, level: KycLevel) -> LimitSubject:
    return LimitSubject(client_id=client.id, scope=LimitScope.KYC_LEVEL, kyc_level=level)


def _by_a_system(client: Client) -> None:
    """Raises ApprovalRequired for a person: which change loosens is not told by the figures alone."""
    if client.is_person:
        raise ApprovalRequired("limit-change")


async def _set(
    parts: AccountParts, body: LimitsIn, client: Client, level: KycLevel | None, origin: Origin
) -> LimitSetOut:
    _by_a_system(client)
    command = SetLimits(
        client_id=client.id,
        currency=body.currency,
        limits=body.limits(),
        reason=body.reason,
        origin=origin,
        kyc_level=level,
    )
    async with parts.database.transaction() as connection:
        return LimitSetOut.of(await set_limits(connection, command, clock=parts.clock))


async def _in_force(parts: AccountParts, subject: LimitSubject) -> LimitSets:
    async with parts.database.snapshot() as connection:
        return LimitSets(items=[LimitSetOut.of(one) for one in await limits_in_force(connection, subject)])


async def _changes(parts: AccountParts, subject: LimitSubject, name: str, query: Page) -> LimitChangePage:
    listing = newest_first(name, query)
    async with parts.database.snapshot() as connection:
        changes = await list_limit_changes(connection, subject, before=listing.position, limit=listing.rows)
    page, next_cursor = listing.page(changes, lambda row: row.id)
    return LimitChangePage(items=[LimitSetOut.of(change) for change in page], next_cursor=next_cursor)
