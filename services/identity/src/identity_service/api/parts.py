"""What the routes are given to work with, and whom they let in."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Path
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.ids import IdFactory
from service_kit.problems import Problem

from identity_service.api.key_uses import KeyUses
from identity_service.api.schemas import ClientId
from identity_service.domain.client import ClientNotFound
from identity_service.operations.issue_key import KeyMaker
from identity_service.operations.issue_token import TokenMaker

Service = Annotated[Client, Depends(requires("trust:read"))]
Administrator = Annotated[Client, Depends(requires("clients:admin"))]
# Who changes what others may do has just shown a second factor, if it is a person.
FreshAdministrator = Annotated[Client, Depends(requires("clients:admin", fresh=True))]
ClientPath = Annotated[ClientId, Path(description="The client's id.")]

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityParts:
    """Made once by app.py. People of `staff_client` administer every client, others their own alone."""

    database: Database
    clock: Clock
    new_id: IdFactory
    staff_client: str
    key_maker: KeyMaker
    token_maker: TokenMaker
    key_uses: KeyUses

    def is_staff(self, caller: Client) -> bool:
        """Whether the caller is one of Florin's own."""
        return caller.id == self.staff_client

    def require_staff(self, caller: Client) -> None:
        """Raises the problem `forbidden` for one who administers no client but its own."""
        if not self.is_staff(caller):
            raise Problem(403, "forbidden", "Forbidden", "Only Florin's own staff may do this.")

    def require_sight_of(self, client_id: str, caller: Client) -> None:
        """Raises ClientNotFound where a client is not the caller's to see: as if it were absent."""
        if client_id != caller.id and not self.is_staff(caller):
            raise ClientNotFound(client_id)


def conflict(words: str) -> dict[int | str, dict[str, Any]]:
    """The route's 409 for the API's description."""
    return {409: {"description": words, "content": _PROBLEM}}
