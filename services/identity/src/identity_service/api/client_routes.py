"""/v1/clients: who is registered."""

from fastapi import APIRouter, Response
from service_kit.audit import Audited
from service_kit.cursors import Cursor, Limit, Listing

from identity_service.api.parts import Administrator, ClientPath, FreshAdministrator, IdentityParts, conflict
from identity_service.api.reading_log import write_reading
from identity_service.api.schemas import (
    ClientChangeOut,
    ClientHistory,
    ClientOut,
    ClientPage,
    NewClient,
    StandingIn,
)
from identity_service.domain.client import ClientStatus
from identity_service.operations.read_clients import list_clients, read_client, read_history
from identity_service.operations.register_client import RegisterClient, register_client
from identity_service.operations.switch_client import SwitchClient, switch_client


def client_routes(parts: IdentityParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/clients", tags=["clients"])
    _add_registration(router, parts)
    _add_reading(router, parts)
    return router


def _add_registration(router: APIRouter, parts: IdentityParts) -> None:
    @router.post(
        "",
        status_code=201,
        summary="Register a client",
        responses={**conflict("The id is taken."), 200: {"description": "It was registered just so before."}},
    )
    async def add_client(
        body: NewClient, response: Response, caller: FreshAdministrator, origin: Audited
    ) -> ClientOut:
        """For Florin's own staff. The same registration again finds the client, so that a retry is safe."""
        parts.require_staff(caller)
        command = RegisterClient(
            client_id=body.id, name=body.name, scopes=frozenset(body.scopes), origin=origin
        )
        async with parts.database.transaction() as connection:
            client, new = await register_client(connection, command, clock=parts.clock, new_id=parts.new_id)
        response.status_code = 201 if new else 200
        response.headers["location"] = f"/v1/clients/{client.id}"
        return ClientOut.of(client)

    @router.post("/{client_id}/status", summary="Suspend a client, or let it in again")
    async def set_client_status(
        client_id: ClientPath, body: StandingIn, caller: FreshAdministrator, origin: Audited
    ) -> ClientOut:
        """For Florin's own staff. Suspended, the client's keys and tokens open nothing within seconds; its
        payments that were accepted go on. One that stands so already stays, so that a retry is safe."""
        parts.require_sight_of(client_id, caller)
        parts.require_staff(caller)
        command = SwitchClient(
            client_id=client_id, status=ClientStatus(body.status), reason=body.reason, origin=origin
        )
        async with parts.database.transaction() as connection:
            client = await switch_client(connection, command, clock=parts.clock, new_id=parts.new_id)
        return ClientOut.of(client)


def _add_reading(router: APIRouter, parts: IdentityParts) -> None:
    @router.get("", summary="List clients")
    async def get_clients(
        caller: Administrator, origin: Audited, cursor: Cursor = None, limit: Limit = 50
    ) -> ClientPage:
        """In the order of their ids. Who is not of Florin's staff sees one: its own."""
        listing = Listing("clients", cursor, limit, start="", read=str)
        only = None if parts.is_staff(caller) else caller.id
        async with parts.database.snapshot() as connection:
            found = await list_clients(connection, only=only, after=listing.position, limit=listing.rows)
        page, next_cursor = listing.page(found, lambda row: row.id)
        await write_reading(parts, origin, "clients.listed", "client", caller.id, count=len(page))
        return ClientPage(items=[ClientOut.of(client) for client in page], next_cursor=next_cursor)

    @router.get("/{client_id}", summary="Read a client")
    async def get_client(client_id: ClientPath, caller: Administrator, origin: Audited) -> ClientOut:
        """As it stands."""
        parts.require_sight_of(client_id, caller)
        async with parts.database.snapshot() as connection:
            client = await read_client(connection, client_id)
        await write_reading(parts, origin, "client.read", "client", client_id, client_id=client_id)
        return ClientOut.of(client)

    @router.get("/{client_id}/changes", summary="The history of a client")
    async def get_client_changes(
        client_id: ClientPath, caller: Administrator, origin: Audited
    ) -> ClientHistory:
        """Newest first, each with its author; the last hundred."""
        parts.require_sight_of(client_id, caller)
        async with parts.database.snapshot() as connection:
            history = await read_history(connection, client_id)
        await write_reading(parts, origin, "client.changes-read", "client", client_id, client_id=client_id)
        return ClientHistory(items=[ClientChangeOut.of(record) for record in history])
