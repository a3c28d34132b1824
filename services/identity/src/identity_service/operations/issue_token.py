"""Issue an access token to a client that has shown one of its keys (RFC 6749, client credentials)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.client import ScopesNotGranted
from identity_service.domain.signing_key import SigningState
from identity_service.domain.token import Claims, write_token
from identity_service.persistence import signing_keys
from identity_service.persistence.key_seal import KeySeal


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaker:
    """Who issues tokens for whom, and what they are made with."""

    issuer: str
    audience: str
    seal: KeySeal
    clock: Clock
    new_id: IdFactory


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """The token's text and what it says."""

    text: str
    claims: Claims


def narrowed(granted: frozenset[str], asked: frozenset[str] | None) -> frozenset[str]:
    """What was asked for of what is granted, or all of it. Raises ScopesNotGranted."""
    if asked is None:
        return granted
    if not asked <= granted:
        raise ScopesNotGranted(asked - granted)
    return asked


async def issue_token(
    connection: AsyncConnection,
    *,
    subject: str,
    client_id: str,
    scopes: frozenset[str],
    maker: TokenMaker,
    origin: Origin,
    more: Mapping[str, Any] | None = None,
) -> IssuedToken:
    """A token that says who acts (`client:<id>`, `person:<uuid>`), for which client, and what it may do.

    The caller holds the row that would be changed to shut the subject out, so that the token's time is before
    that change's.
    """
    key = await signing_keys.current(connection, SigningState.ACTIVE)
    assert key is not None, "the service starts with a key that signs"
    claims = Claims(
        issuer=maker.issuer,
        audience=maker.audience,
        subject=subject,
        client_id=client_id,
        scopes=scopes,
        token_id=maker.new_id(),
        issued_at=maker.clock.now(),
        more=more,
    )
    # What is done with the token is told by its id: here stands whom and what it was given for.
    entry = Entry(
        action="token.issued",
        subject_type="token",
        subject=str(claims.token_id),
        after={"scopes": scopes, "kid": key.kid},
    )
    await record(connection, origin, entry, at=claims.issued_at)
    return IssuedToken(write_token(claims, kid=key.kid, sign=maker.seal.open(key).sign), claims)
