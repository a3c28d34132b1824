"""What the routes are given to work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.ids import IdFactory

from notification_service.operations.register_endpoint import EndpointLimits
from notification_service.outbound.resolver import TargetCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Made once by app.py, kept in `app.state.parts`."""

    database: Database
    target_check: TargetCheck
    endpoint_limits: EndpointLimits
    secret_overlap: timedelta
    clock: Clock
    new_id: IdFactory
    random_bytes: Callable[[int], bytes]


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Given = Annotated[Parts, Depends(_parts)]
Writer = Annotated[Client, Depends(requires("webhooks:write"))]
Reader = Annotated[Client, Depends(requires("webhooks:read"))]

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def conflict(words: str) -> Mapping[int | str, dict[str, Any]]:
    """The route's 409 for the API's description."""
    return {409: {"description": words, "content": _PROBLEM}}
