"""/v1/accounts: open accounts, pay in, freeze and close."""

from fastapi import APIRouter, Response
from service_kit.idempotency import REPLAYED_HEADER

from account_service.api.batch_items import read_item, tell
from account_service.api.parts import AccountParts, AccountPath, IdempotencyKey, Writer, conflict
from account_service.api.schemas import (
    AccountIn,
    AccountOut,
    BatchIn,
    BatchOut,
    DepositIn,
    DepositOut,
    StateIn,
)
from account_service.domain.account import AccountState
from account_service.operations.change_state import ChangeState, change_state
from account_service.operations.deposit import Deposit, Payment, deposit
from account_service.operations.open_account import OpenAccount, open_account
from account_service.operations.open_batch import OpenBatch, open_batch
from account_service.operations.read_accounts import read_account

_OTHER_TERMS = conflict("An account of this reference exists on other terms.")
_NOT_ALLOWED = conflict("The account's state or balance does not allow it.")


def writing_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
    _add_opening(router, parts)
    _add_changing(router, parts)
    return router


def _add_opening(router: APIRouter, parts: AccountParts) -> None:
    @router.post(
        "",
        status_code=201,
        summary="Open an account",
        responses={200: {"model": AccountOut}, **_OTHER_TERMS},
    )
    async def create_account(
        body: AccountIn, client: Writer, key: IdempotencyKey, response: Response
    ) -> AccountOut:
        """An opening balance is a posting from the client's own opening-balances account. Asked again, by key
        or by the same reference on the same terms, the first answer is given once more (200, with
        `Idempotency-Replayed: true`); other terms are refused and the differing fields named."""
        command = OpenAccount(client.id, key, body.terms())
        async with parts.database.transaction() as connection:
            opening = await open_account(connection, command, clock=parts.clock, new_id=parts.new_id)
        response.headers["Location"] = f"/v1/accounts/{opening.terms.account}"
        if opening.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return AccountOut.as_opened(opening.terms, opening.opened_at)

    @router.post("/batches", summary="Open up to 1,000 accounts")
    async def create_accounts(
        body: BatchIn, client: Writer, key: IdempotencyKey, response: Response
    ) -> BatchOut:
        """Each item has an outcome of its own, at its own place. The key guards the batch as a whole; each
        item is known by its `account`: one that is open on the same terms is told as `replayed`."""
        command = OpenBatch(client.id, key, [read_item(item) for item in body.accounts], body.accounts)
        async with parts.database.transaction() as connection:
            batch = await open_batch(connection, command, clock=parts.clock, new_id=parts.new_id)
        if batch.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return tell(body.accounts, batch)


def _add_changing(router: APIRouter, parts: AccountParts) -> None:
    @router.post(
        "/{account}/deposits",
        status_code=201,
        summary="Pay in",
        responses={200: {"model": DepositOut}, **_NOT_ALLOWED},
    )
    async def create_deposit(
        account: AccountPath, body: DepositIn, client: Writer, key: IdempotencyKey, response: Response
    ) -> DepositOut:
        """A posting from the client's own settlement account. The same key and body again is answered like
        the first time (200, with `Idempotency-Replayed: true`) and moves nothing."""
        payment = Payment(
            account=account,
            amount_minor=body.amount_minor,
            currency=body.currency,
            reference=body.reference,
            description=body.description,
        )
        command = Deposit(client.id, key, payment)
        async with parts.database.transaction() as connection:
            made = await deposit(connection, command, clock=parts.clock, new_id=parts.new_id)
        if made.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return DepositOut(
            posting_id=made.posting_id,
            account=account,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            balance_after_minor=made.balance_after_minor,
            reference=payment.reference,
            description=payment.description,
            posted_at=made.posted_at,
        )

    @router.post("/{account}/state", summary="Freeze, unfreeze or close", responses=_NOT_ALLOWED)
    async def set_account_state(account: AccountPath, body: StateIn, client: Writer) -> AccountOut:
        """ACTIVE and FROZEN lead to each other and to CLOSED, which is for ever and needs a zero balance. An
        account that is in the state already stays as it is, so that a retry is safe."""
        command = ChangeState(
            client_id=client.id,
            account=account,
            state=AccountState(body.state),
            reason=body.reason,
            author=client.id,
        )
        async with parts.database.transaction() as connection:
            await change_state(connection, command, clock=parts.clock)
            return AccountOut.of(await read_account(connection, client.id, account))
