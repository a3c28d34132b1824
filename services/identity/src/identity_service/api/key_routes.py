"""/v1/clients/{client_id}/keys: a client's keys."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from service_kit.audit import Audited
from service_kit.cursors import Cursor, Limit, Listing

from identity_service.api.key_schemas import (
    DEFAULT_OVERLAP_S,
    IssuedKey,
    KeyOut,
    KeyPage,
    KeyRevocation,
    KeyRotation,
    NewKey,
    RotatedKey,
)
from identity_service.api.parts import Administrator, ClientPath, FreshAdministrator, IdentityParts, conflict
from identity_service.api.reading_log import write_reading
from identity_service.operations.issue_key import IssueKey, issue_key
from identity_service.operations.read_keys import list_keys
from identity_service.operations.revoke_key import RevokeKey, revoke_key
from identity_service.operations.rotate_key import RotateKey, rotate_key

KeyPath = Annotated[UUID, Path(description="The key's id.")]
_NO_STORE = {"cache-control": "no-store"}


def key_routes(parts: IdentityParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/clients/{client_id}/keys", tags=["keys"])
    _add_issuing(router, parts)
    _add_ending(router, parts)
    return router


def _add_issuing(router: APIRouter, parts: IdentityParts) -> None:
    @router.post("", status_code=201, summary="Issue a key", responses=conflict("The client is suspended."))
    async def add_key(
        client_id: ClientPath, body: NewKey, response: Response, caller: FreshAdministrator, origin: Audited
    ) -> IssuedKey:
        """The answer is the only one that ever shows the key; every service knows it within seconds."""
        parts.require_sight_of(client_id, caller)
        command = IssueKey(
            client_id=client_id,
            label=body.label,
            scopes=None if body.scopes is None else frozenset(body.scopes),
            not_after=body.not_after,
            origin=origin,
        )
        async with parts.database.transaction() as connection:
            key, written = await issue_key(connection, command, maker=parts.key_maker, clock=parts.clock)
        response.headers.update(_NO_STORE)
        return IssuedKey(key=KeyOut.of(key, parts.clock.now()), secret=written)

    @router.get("", summary="List a client's keys")
    async def get_keys(
        client_id: ClientPath,
        caller: Administrator,
        origin: Audited,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> KeyPage:
        """Oldest first, ended ones too, each with when it was last used."""
        parts.require_sight_of(client_id, caller)
        listing = Listing[UUID | None](f"keys of {client_id}", cursor, limit, start=None, read=UUID)
        async with parts.database.snapshot() as connection:
            found = await list_keys(connection, client_id, after=listing.position, limit=listing.rows)
        page, next_cursor = listing.page(found, lambda row: row.id)
        await write_reading(parts, origin, "keys.listed", "client", client_id, client_id=client_id)
        at = parts.clock.now()
        return KeyPage(items=[KeyOut.of(key, at) for key in page], next_cursor=next_cursor)


def _add_ending(router: APIRouter, parts: IdentityParts) -> None:
    @router.post(
        "/{key_id}/rotations",
        status_code=201,
        summary="Replace a key",
        responses=conflict("The key has ended or was replaced already, or the client is suspended."),
    )
    async def rotate_api_key(
        client_id: ClientPath,
        key_id: KeyPath,
        response: Response,
        caller: FreshAdministrator,
        origin: Audited,
        body: KeyRotation | None = None,
    ) -> RotatedKey:
        """A new key that may do the same. The old one goes on for `overlap_s`, a day unless said."""
        parts.require_sight_of(client_id, caller)
        overlap_s = DEFAULT_OVERLAP_S if body is None else body.overlap_s
        command = RotateKey(
            client_id=client_id, key_id=key_id, overlap=timedelta(seconds=overlap_s), origin=origin
        )
        async with parts.database.transaction() as connection:
            key, written, old = await rotate_key(
                connection, command, maker=parts.key_maker, clock=parts.clock
            )
        response.headers.update(_NO_STORE)
        at = parts.clock.now()
        return RotatedKey(key=KeyOut.of(key, at), secret=written, replaced=KeyOut.of(old, at))

    @router.post("/{key_id}/revocation", summary="Revoke a key")
    async def revoke_api_key(
        client_id: ClientPath,
        key_id: KeyPath,
        body: KeyRevocation,
        caller: FreshAdministrator,
        origin: Audited,
    ) -> KeyOut:
        """Within seconds it opens nothing anywhere, and the client's tokens end with it: it gets new ones
        with its other keys. A key that was revoked already stays as it was."""
        parts.require_sight_of(client_id, caller)
        command = RevokeKey(client_id=client_id, key_id=key_id, reason=body.reason, origin=origin)
        async with parts.database.transaction() as connection:
            key = await revoke_key(connection, command, clock=parts.clock, new_id=parts.new_id)
        return KeyOut.of(key, parts.clock.now())
