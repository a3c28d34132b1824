"""/v1/accounts: open accounts."""

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER
from service_kit.proposals.proposal import ApprovalRequired

from account_service.api.batch_items import read_item, tell
from account_service.api.parts import AccountParts, IdempotencyKey, Writer, conflict
from account_service.api.schemas import (
    AccountIn,
    AccountOut,
    BatchIn,
    BatchOut,
)
from account_service.operations.open_account import OpenAccount, open_account
from account_service.operations.open_batch import OpenBatch, open_batch

_OTHER_TERMS = conflict("An account of this reference exists on other terms.")


def writing_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
    _add_opening(router, parts)
    return router


def _add_opening(router: APIRouter, parts: AccountParts) -> None:
    @router.post(
        "",
        status_code=201,
        summary="Open an account",
        responses={200: {"model": AccountOut}, **_OTHER_TERMS},
    )
    async def create_account(
        body: AccountIn, client: Writer, origin: Audited, key: IdempotencyKey, response: Response
    ) -> AccountOut:
        """An opening balance is a posting from the client's own opening-balances account. Asked again, by key
        or by the same reference on the same terms, the first answer is given once more (200, with
        `Idempotency-Replayed: true`); other terms are refused and the differing fields named. A person opens
        an empty account, and proposes its overdraft or an adjustment."""
        terms = body.terms()
        if client.is_person and terms.takes_two is not None:
            raise ApprovalRequired(terms.takes_two)
        command = OpenAccount(client.id, key, terms, origin)
        async with parts.database.transaction() as connection:
            opening = await open_account(
                connection, command, vault=parts.vault, clock=parts.clock, new_id=parts.new_id
            )
        response.headers["Location"] = f"/v1/accounts/{opening.terms.account}"
        if opening.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return AccountOut.as_opened(opening.terms, opening.opened_at)

    @router.post("/batches", summary="Open up to 1,000 accounts")
    async def create_accounts(
        body: BatchIn, client: Writer, origin: Audited, key: IdempotencyKey, response: Response
    ) -> BatchOut:
        """Each item has an outcome of its own, at its own place. The key guards the batch as a whole; each
        item is known by its `account`: one that is open on the same terms is told as `replayed`."""
        items = [read_item(item, by_person=client.is_person) for item in body.accounts]
        command = OpenBatch(client.id, key, items, body.accounts, origin)
        async with parts.database.transaction() as connection:
            batch = await open_batch(
                connection, command, vault=parts.vault, clock=parts.clock, new_id=parts.new_id
            )
        if batch.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return tell(body.accounts, batch)
