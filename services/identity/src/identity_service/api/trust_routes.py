"""/internal/v1/trust: what every service asks for once a second."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from service_kit.boundary import QUIET
from service_kit.key_uses import MOST_AT_ONCE

from identity_service.api.parts import IdentityParts, Service
from identity_service.api.schemas import Request as BodyOfRequest
from identity_service.operations.read_trust import read_trust
from identity_service.persistence.trust import Trust, TrustedKey

Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{8}$")]

_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


class TrustedKeyOut(BaseModel):
    """A key that opens something."""

    prefix: str
    client: str
    digest: str = Field(description="HMAC-SHA-256 of the whole key under the pepper that all share, in hex.")
    scopes: list[str]
    not_after: datetime | None

    @classmethod
    def of(cls, key: TrustedKey) -> Self:
        return cls(
            prefix=key.prefix,
            client=key.client_id,
            digest=key.digest,
            scopes=list(key.scopes),
            not_after=key.not_after,
        )


class RevokedOut(BaseModel):
    """Which tokens open nothing although they have not expired."""

    clients: Mapping[str, datetime] = Field(description="Those issued until then.")
    people: Mapping[str, datetime] = Field(description="Those issued until then.")
    tokens: Mapping[str, datetime] = Field(description="By `jti`, each with its expiry.")


class KeyUsesIn(BodyOfRequest):
    """Prefixes; one that is nobody's is passed over."""

    prefixes: Annotated[list[Prefix], Field(min_length=1, max_length=MOST_AT_ONCE)]


class TrustOut(BaseModel):
    """All that a service needs to tell good keys and tokens from bad."""

    version: int
    keys: list[TrustedKeyOut]
    revoked: RevokedOut

    @classmethod
    def of(cls, version: int, trust: Trust) -> Self:
        return cls(
            version=version,
            keys=[TrustedKeyOut.of(key) for key in trust.keys],
            revoked=RevokedOut(
                clients=trust.revoked["client"],
                people=trust.revoked["person"],
                tokens=trust.revoked["token"],
            ),
        )


def trust_routes(parts: IdentityParts) -> APIRouter:
    """The route, on these parts."""
    router = APIRouter(prefix="/internal/v1", tags=["services"])

    @router.get(
        "/trust",
        summary="Which keys are good and which tokens are revoked",
        response_model=TrustOut,
        responses={304: {"description": "Nothing has changed since the version named."}},
    )
    async def get_trust(
        caller: Service, request: Request, if_none_match: Annotated[str | None, Header(max_length=100)] = None
    ) -> Response:
        """For services, once a second. With `If-None-Match` and the ETag of the answer before, 304 as long as
        nothing has changed."""
        del caller
        request.scope[QUIET] = True
        known = _ETAG.fullmatch((if_none_match or "").strip())
        async with parts.database.snapshot() as connection:
            version, trust = await read_trust(
                connection, known=int(known[1]) if known else None, clock=parts.clock
            )
        headers = {"etag": f'"{version}"', "cache-control": "no-store"}
        if trust is None:
            return Response(status_code=304, headers=headers)
        body = TrustOut.of(version, trust).model_dump_json()
        return Response(body, media_type="application/json", headers=headers)

    @router.post("/trust/key-uses", status_code=204, summary="Tell which keys were used")
    async def take_key_uses(body: KeyUsesIn, caller: Service, request: Request) -> None:
        """For services, once a minute: the keys by which they let somebody in since they told the last time.
        `last_used_at` of a key is this well known."""
        del caller
        request.scope[QUIET] = True
        for prefix in body.prefixes:
            parts.key_uses.note(prefix)

    return router
