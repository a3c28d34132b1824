"""/v1/reversal-policy: what becomes of reversals when the payee has spent the money."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel
from service_kit.audit import Audited

from account_service.api.parts import AccountParts, Reader, SettlementWriter
from account_service.api.queries import Page, newest_first
from account_service.api.schemas import Reason, Request
from account_service.domain.reversals import ReversalPolicy, ReversalPolicyChange
from account_service.operations.set_reversal_policy import SetReversalPolicy, set_reversal_policy
from account_service.persistence.reversal_policies import list_policy_changes


class ReversalPolicyIn(Request):
    """The policy to put in force, and why."""

    policy: Literal["refuse", "receivable"]
    reason: Reason


class ReversalPolicyChangeOut(BaseModel):
    """A policy that was put in force."""

    policy: ReversalPolicy
    reason: str
    author: str
    changed_at: datetime

    @classmethod
    def of(cls, change: ReversalPolicyChange) -> Self:
        """Tell a change."""
        return cls.model_validate(change, from_attributes=True)


class ReversalPolicyOut(BaseModel):
    """The policy in force: `refuse` until another was set. `since` is null for one that never was set."""

    policy: ReversalPolicy
    since: ReversalPolicyChangeOut | None


class ReversalPolicyChangePage(BaseModel):
    """Changes, newest first."""

    items: list[ReversalPolicyChangeOut]
    next_cursor: str | None


def reversal_policy_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/reversal-policy", tags=["reversals"])
    _add_policy(router, parts)
    _add_history(router, parts)
    return router


def _add_policy(router: APIRouter, parts: AccountParts) -> None:
    @router.put("", summary="Say what becomes of reversals when the payee has spent it")
    async def put_reversal_policy(
        body: ReversalPolicyIn, client: SettlementWriter, origin: Audited
    ) -> ReversalPolicyOut:
        """`refuse` declines them (`payee_has_spent_it`); `receivable` gives all of it back and books what the
        payee has not on the client's receivable account of the currency. The same again is no change."""
        command = SetReversalPolicy(
            client_id=client.id, policy=ReversalPolicy(body.policy), reason=body.reason, origin=origin
        )
        async with parts.database.transaction() as connection:
            change = await set_reversal_policy(connection, command, clock=parts.clock)
        return ReversalPolicyOut(policy=change.policy, since=ReversalPolicyChangeOut.of(change))

    @router.get("", summary="What becomes of reversals when the payee has spent it")
    async def get_reversal_policy(client: Reader) -> ReversalPolicyOut:
        """The policy in force, and since when."""
        async with parts.database.snapshot() as connection:
            newest = await list_policy_changes(connection, client.id)
        if not newest:
            return ReversalPolicyOut(policy=ReversalPolicy.REFUSE, since=None)
        change = newest[0][1]
        return ReversalPolicyOut(policy=change.policy, since=ReversalPolicyChangeOut.of(change))


def _add_history(router: APIRouter, parts: AccountParts) -> None:
    @router.get("/changes", summary="The history of the policy")
    async def list_reversal_policy_changes(
        client: Reader, query: Annotated[Page, Query()]
    ) -> ReversalPolicyChangePage:
        """Newest first, each with its reason and author."""
        listing = newest_first("reversal-policy", query)
        async with parts.database.snapshot() as connection:
            changes = await list_policy_changes(
                connection, client.id, before=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(changes, lambda row: row[0])
        return ReversalPolicyChangePage(
            items=[ReversalPolicyChangeOut.of(change) for _, change in page], next_cursor=next_cursor
        )
