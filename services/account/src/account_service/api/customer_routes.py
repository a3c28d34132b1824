"""/v1/customers: register people, change what is known of them, open their accounts, decide how well they
are known."""

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.idempotency import REPLAYED_HEADER
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.api.customer_schemas import (
    CustomerChanges,
    CustomerIn,
    CustomerOut,
    KycDecision,
    KycSubmission,
    WalletIn,
    canonical_contact,
)
from account_service.api.parts import AccountParts, CustomerPath, Decider, IdempotencyKey, Writer, conflict
from account_service.api.schemas import AccountOut
from account_service.domain.customer import Person
from account_service.domain.kyc import KycLevel
from account_service.operations.change_kyc import ChangeKyc, change_kyc
from account_service.operations.open_wallet import OpenWallet, open_wallet
from account_service.operations.read_accounts import read_account
from account_service.operations.read_customers import read_customer
from account_service.operations.register_customer import RegisterCustomer, register_customer
from account_service.operations.update_customer import UpdateCustomer, update_customer
from account_service.persistence.customer_accounts import load_wallets

_TAKEN = conflict("Another customer has this mobile number or e-mail address.")
_NO_WAY = conflict("The workflow knows no way from where it stands.")
_IN_USE = conflict("The reference of the customer's account is used by another account.")


def customer_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    _add_registering(router, parts)
    _add_wallets(router, parts)
    _add_kyc(router, parts)
    return router


def _add_registering(router: APIRouter, parts: AccountParts) -> None:
    @router.post(
        "", status_code=201, summary="Register a customer", responses={200: {"model": CustomerOut}, **_TAKEN}
    )
    async def create_customer(
        body: CustomerIn, client: Writer, origin: Audited, key: IdempotencyKey, response: Response
    ) -> CustomerOut:
        """An account in the first currency opens with the customer. The same key and body again is answered
        like the first time (200, with `Idempotency-Replayed: true`)."""
        region = body.region or parts.default_region
        mobile, email = canonical_contact(mobile=body.mobile, email=body.email, region=region)
        assert mobile is not None, "required of the body"
        assert email is not None, "required of the body"
        person = Person(name=body.name, mobile=mobile, email=email)
        command = RegisterCustomer(client.id, key, person, body.currency, origin)
        async with parts.database.transaction() as connection:
            made = await register_customer(
                connection, command, vault=parts.vault, clock=parts.clock, new_id=parts.new_id
            )
        response.headers["Location"] = f"/v1/customers/{made.customer.id}"
        if made.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return CustomerOut.of(made.customer, {command.currency: made.account})

    @router.patch("/{customer_id}", summary="Change name, mobile number or e-mail address", responses=_TAKEN)
    async def change_customer(
        customer_id: CustomerPath, body: CustomerChanges, client: Writer, origin: Audited
    ) -> CustomerOut:
        """What is left out stays. The same change again is no change, so that a retry is safe."""
        region = body.region or parts.default_region
        mobile, email = canonical_contact(mobile=body.mobile, email=body.email, region=region)
        command = UpdateCustomer(
            client_id=client.id,
            customer_id=customer_id,
            name=body.name,
            mobile=mobile,
            email=email,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            await update_customer(connection, command, vault=parts.vault, clock=parts.clock)
            return await _tell(connection, parts, client.id, customer_id)


def _add_wallets(router: APIRouter, parts: AccountParts) -> None:
    @router.post(
        "/{customer_id}/accounts",
        status_code=201,
        summary="Open the customer's account in a currency",
        responses={200: {"model": AccountOut}, **_IN_USE},
    )
    async def open_customer_account(
        customer_id: CustomerPath, body: WalletIn, client: Writer, origin: Audited, response: Response
    ) -> AccountOut:
        """A customer has one account a currency: asked again, the one that is open is told (200, with
        `Idempotency-Replayed: true`)."""
        command = OpenWallet(client.id, customer_id, body.currency, origin)
        async with parts.database.transaction() as connection:
            wallet = await open_wallet(
                connection, command, vault=parts.vault, clock=parts.clock, new_id=parts.new_id
            )
            record = await read_account(connection, client.id, wallet.account)
        response.headers["Location"] = f"/v1/accounts/{wallet.account}"
        if wallet.replayed:
            response.status_code = 200
            response.headers[REPLAYED_HEADER] = "true"
        return AccountOut.of(record, parts.vault)


def _add_kyc(router: APIRouter, parts: AccountParts) -> None:
    @router.post("/{customer_id}/kyc", summary="Ask for a level", responses=_NO_WAY)
    async def submit_customer_kyc(
        customer_id: CustomerPath, body: KycSubmission, client: Writer, origin: Audited
    ) -> CustomerOut:
        """The level is reached once somebody approves it. The same request again changes nothing."""
        command = ChangeKyc(
            client_id=client.id,
            customer_id=customer_id,
            move="submit",
            level=KycLevel(body.level),
            reason=body.reason,
            origin=origin,
        )
        return await _move(parts, command)

    @router.post("/{customer_id}/kyc/decision", summary="Approve or reject a request", responses=_NO_WAY)
    async def decide_customer_kyc(
        customer_id: CustomerPath, body: KycDecision, client: Decider, origin: Audited
    ) -> CustomerOut:
        """`level` is that of the request, so that none is granted that was asked for after you looked. The
        same decision again changes nothing."""
        command = ChangeKyc(
            client_id=client.id,
            customer_id=customer_id,
            move=body.decision,
            level=KycLevel(body.level),
            reason=body.reason,
            origin=origin,
        )
        return await _move(parts, command)


async def _move(parts: AccountParts, command: ChangeKyc) -> CustomerOut:
    async with parts.database.transaction() as connection:
        await change_kyc(connection, command, vault=parts.vault, clock=parts.clock, new_id=parts.new_id)
        return await _tell(connection, parts, command.client_id, command.customer_id)


async def _tell(
    connection: AsyncConnection, parts: AccountParts, client_id: str, customer_id: CustomerPath
) -> CustomerOut:
    customer = await read_customer(connection, parts.vault, client_id, customer_id)
    wallets = await load_wallets(connection, [customer_id])
    return CustomerOut.of(customer, wallets[customer_id])
