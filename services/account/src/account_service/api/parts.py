"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path
from service_kit.auth import Client, requires, requires_one_of
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.idempotency import idempotency_key
from service_kit.ids import IdFactory
from service_kit.vault import Vault

from account_service.api.schemas import Reference

Writer = Annotated[Client, Depends(requires("accounts:write"))]
Withdrawer = Annotated[Client, Depends(requires("withdrawals:write"))]
SettlementWriter = Annotated[Client, Depends(requires("settlement:write"))]
Reader = Annotated[Client, Depends(requires("accounts:read"))]
# What each of the two lets do is told by `only_tightens`.
Freezer = Annotated[Client, Depends(requires_one_of("accounts:freeze", "accounts:write"))]
Decider = Annotated[Client, Depends(requires("kyc:decide"))]
IdempotencyKey = Annotated[str, Depends(idempotency_key)]
AccountPath = Annotated[Reference, Path(description="The client's own name for the account.")]
CustomerPath = Annotated[UUID, Path(description="The customer's id.")]

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def conflict(words: str) -> dict[int | str, dict[str, Any]]:
    """The route's 409 for the API's description."""
    return {409: {"description": words, "content": _PROBLEM}}


NOT_ALLOWED = conflict("The account's state or balance does not allow it.")


def only_tightens(client: Client) -> bool:
    """Whether the caller may lower what an account lets through, and needs a second person to raise it.

    A system may do both with `accounts:write`: the institution behind it has a second pair of eyes of its
    own, or gives its key no such scope.
    """
    return client.is_person or "accounts:write" not in client.scopes


@dataclass(frozen=True, slots=True)
class AccountParts:
    """Handed to the routes by the composition root."""

    database: Database
    clock: Clock
    new_id: IdFactory
    vault: Vault
    default_region: str | None = None
