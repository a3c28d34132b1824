"""What the routes that concern people are given to work with, and whom they let in."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from service_kit.audit import Origin
from service_kit.auth import Client, requires

from identity_service.api.parts import IdentityParts
from identity_service.operations.administer_people import Administrator
from identity_service.operations.door import Door

PeopleReader = Annotated[Client, Depends(requires("people:admin"))]
PeopleAdministrator = Annotated[Client, Depends(requires("people:admin", fresh=True))]
PersonPath = Annotated[UUID, Path(description="The person's id.")]
SessionPath = Annotated[UUID, Path(description="The session's id.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleParts:
    """Made once by app.py. `origin` is where people reach this service, if a proxy changes its name."""

    identity: IdentityParts
    door: Door
    breached: Container[str]
    origin: str | None

    def reach_of(self, caller: Client) -> str | None:
        """The client whose people the caller may see: its own, or None for every one's for the staff."""
        return None if self.identity.is_staff(caller) else caller.id

    def administrator(self, caller: Client, origin: Origin) -> Administrator:
        """The caller as who does something for people within its reach."""
        return Administrator(origin=origin, reach=self.reach_of(caller))
