"""/.well-known: where tokens are had (RFC 8414) and by which keys they are believed (RFC 7517)."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel
from service_kit.auth import SCOPES
from service_kit.protection import public

from identity_service.api.oauth_routes import GRANT, REVOCATION_PATH, TOKEN_PATH
from identity_service.api.parts import IdentityParts
from identity_service.domain.token import ALGORITHM, public_jwk
from identity_service.persistence import signing_keys

JWKS_PATH = "/.well-known/jwks.json"
_METHODS = ["client_secret_basic", "client_secret_post"]
_OPEN = Depends(public("nothing in it is secret"))
# Shorter than any service waits before it asks again.
_CACHE = {"cache-control": "public, max-age=15"}


class Metadata(BaseModel):
    """RFC 8414, 2."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]


class Jwk(BaseModel):
    """An Ed25519 key by RFC 8037."""

    kty: str
    crv: str
    x: str
    kid: str
    alg: str
    use: str


class Jwks(BaseModel):
    """All keys by which a token may be believed, and the one that signs next."""

    keys: list[Jwk]


def discovery_routes(parts: IdentityParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/.well-known", tags=["tokens"], dependencies=[_OPEN])

    @router.get("/oauth-authorization-server", summary="Where tokens are had")
    async def get_metadata(response: Response) -> Metadata:
        """RFC 8414."""
        response.headers.update(_CACHE)
        issuer = parts.token_maker.issuer
        return Metadata(
            issuer=issuer,
            token_endpoint=issuer + TOKEN_PATH,
            revocation_endpoint=issuer + REVOCATION_PATH,
            jwks_uri=issuer + JWKS_PATH,
            scopes_supported=sorted(SCOPES),
            response_types_supported=[],
            grant_types_supported=[GRANT],
            token_endpoint_auth_methods_supported=_METHODS,
            revocation_endpoint_auth_methods_supported=_METHODS,
        )

    @router.get("/jwks.json", summary="The keys that verify tokens")
    async def get_jwks(response: Response) -> Jwks:
        """RFC 7517: the key that signs, the one that will, and those whose tokens have not all expired."""
        async with parts.database.snapshot() as connection:
            keys = await signing_keys.verifying(connection, now=parts.clock.now())
        response.headers.update(_CACHE)
        return Jwks(
            keys=[Jwk(**public_jwk(key.public_key), kid=key.kid, alg=ALGORITHM, use="sig") for key in keys]
        )

    return router
