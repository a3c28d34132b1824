"""Whose payments a caller may see and decide: its own, or with one more scope everybody's."""

from typing import Annotated

from fastapi import Depends
from service_kit.auth import Client, requires

# An operator's scope, beside reviews:read or reviews:decide: without it a client sees its own payments only.
ANY_CLIENT = "reviews:any-client"

ReviewReader = Annotated[Client, Depends(requires("reviews:read"))]
ReviewDecider = Annotated[Client, Depends(requires("reviews:decide"))]
RuleReader = Annotated[Client, Depends(requires("rules:read"))]
RuleWriter = Annotated[Client, Depends(requires("rules:write"))]


def visible_to(client: Client) -> str | None:
    """The only client whose payments the caller may see; None if it may see all."""
    return None if ANY_CLIENT in client.scopes else client.id
