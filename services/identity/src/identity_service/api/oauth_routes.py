"""/oauth/token and /oauth/revoke: RFC 6749 with client credentials, RFC 7009."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from service_kit.audit import AuditedStranger
from service_kit.auth import Client
from service_kit.protection import public

from identity_service.api.oauth_forms import (
    OAuthError,
    granted,
    invalid_client,
    read_credentials,
    read_form,
    read_scopes,
)
from identity_service.api.parts import IdentityParts
from identity_service.domain.api_key import ApiKey
from identity_service.domain.client import ScopesNotGranted
from identity_service.domain.token import LIFETIME
from identity_service.operations.authenticate_client import InvalidClient, authenticate_client
from identity_service.operations.issue_token import issue_token, narrowed
from identity_service.operations.revoke_token import TokenOfAnother, revoke_token

TOKEN_PATH, REVOCATION_PATH = "/oauth/token", "/oauth/revoke"
GRANT = "client_credentials"
_OPEN = Depends(public("the client says who it is in the request itself"))


class TokenOut(BaseModel):
    """RFC 6749, 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  a type, not a secret
    expires_in: int = Field(description="In seconds.")
    scope: str


class OAuthErrorOut(BaseModel):
    """RFC 6749, 5.2."""

    error: str
    error_description: str


def _form(**fields: str) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": words} for name, words in fields.items()}
    schema = {"type": "object", "properties": properties, "required": [next(iter(fields))]}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_CLIENT = {
    "client_id": "The client, where it does not say so by HTTP Basic.",
    "client_secret": "One of its API keys, where it does not show it by HTTP Basic.",
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be granted as it is.", "model": OAuthErrorOut},
    401: {"description": "The client has not shown who it is.", "model": OAuthErrorOut},
}


def oauth_routes(parts: IdentityParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(tags=["tokens"], dependencies=[_OPEN])
    _add_token(router, parts)
    _add_revocation(router, parts)
    return router


def _add_token(router: APIRouter, parts: IdentityParts) -> None:
    @router.post(
        TOKEN_PATH,
        summary="Get an access token",
        response_model=TokenOut,
        responses=_REFUSALS,
        openapi_extra=_form(
            grant_type="`client_credentials`.",
            scope="What the token is to allow, with blanks between; left out: all that the key may do.",
            **_CLIENT,
        ),
    )
    async def get_token(request: Request, origin: AuditedStranger) -> Response:
        """RFC 6749, client credentials: the secret is one of the client's API keys, by HTTP Basic or in the
        form. The token is a JWT by RFC 9068 and lives for ten minutes."""
        try:
            form = await read_form(request)
            if "grant_type" not in form:
                raise OAuthError("invalid_request", "grant_type is missing.")
            shown = read_credentials(request, form)
            if form["grant_type"] != GRANT:
                raise OAuthError("unsupported_grant_type", f"The one grant there is is {GRANT}.")
            asked = read_scopes(form)
            async with parts.database.transaction() as connection:
                key = await authenticate_client(
                    connection,
                    shown.client_id,
                    shown.secret,
                    pepper=parts.key_maker.pepper,
                    clock=parts.clock,
                )
                issued = await issue_token(
                    connection,
                    subject=f"client:{key.client_id}",
                    client_id=key.client_id,
                    scopes=narrowed(key.scopes, asked),
                    maker=parts.token_maker,
                    origin=origin.known_as(_bearer_of(key)),
                )
        except OAuthError as refused:
            return refused.response()
        except InvalidClient:
            return invalid_client().response()
        except ScopesNotGranted:
            return OAuthError("invalid_scope", "The key does not have all the scopes asked for.").response()
        parts.key_uses.note(key.prefix)
        body = TokenOut(
            access_token=issued.text,
            expires_in=int(LIFETIME.total_seconds()),
            scope=" ".join(sorted(issued.claims.scopes)),
        )
        return granted(body.model_dump())


def _add_revocation(router: APIRouter, parts: IdentityParts) -> None:
    @router.post(
        REVOCATION_PATH,
        summary="Revoke an access token",
        responses={**_REFUSALS, 200: {"description": "The token opens nothing, within seconds."}},
        openapi_extra=_form(token="The access token.", token_type_hint="Ignored.", **_CLIENT),  # noqa: S106
    )
    async def revoke_access_token(request: Request, origin: AuditedStranger) -> Response:
        """RFC 7009. What is no token, or has expired already, is answered alike: it opens nothing."""
        try:
            form = await read_form(request)
            if "token" not in form:
                raise OAuthError("invalid_request", "token is missing.")
            shown = read_credentials(request, form)
            async with parts.database.transaction() as connection:
                key = await authenticate_client(
                    connection,
                    shown.client_id,
                    shown.secret,
                    pepper=parts.key_maker.pepper,
                    clock=parts.clock,
                )
                await revoke_token(
                    connection,
                    form["token"],
                    client_id=key.client_id,
                    origin=origin.known_as(_bearer_of(key)),
                    clock=parts.clock,
                    new_id=parts.new_id,
                )
        except OAuthError as refused:
            return refused.response()
        except InvalidClient:
            return invalid_client().response()
        except TokenOfAnother:
            return OAuthError("invalid_grant", "The token was issued to another client.").response()
        parts.key_uses.note(key.prefix)
        return granted({})


def _bearer_of(key: ApiKey) -> Client:
    return Client(key.client_id, key.scopes, f"key:{key.prefix}")
