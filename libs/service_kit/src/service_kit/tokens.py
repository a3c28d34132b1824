"""Access tokens: JWTs by RFC 9068, verified here and not by asking their issuer (ADR 0019).

A token names its key, and the key alone names the algorithm: nothing in a token's header decides how it is
verified. What has been verified is remembered by its text, so that a busy client pays for a signature once.
"""

import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service_kit.auth import SCOPES, Client, IdentityUnknown, Unauthenticated
from service_kit.clock import Clock
from service_kit.jwks import KeySet, VerifyingKey
from service_kit.strict_json import JsonRefused, parse

MAX_LENGTH = 4_096
MAX_REMEMBERED = 10_000
SKEW_S = 30
_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_CLIENT = r"[a-z0-9][a-z0-9_.-]{0,62}"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
# What would change how a token is read, or bring its own key: none of it is understood, so none is let in.
_REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c"})
# One text for all: whoever forges is not told how far he came.
_REFUSED = "The access token is not valid, or no longer."


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Whose token it is, what revocation asks for, and when it ends (seconds since 1970)."""

    client: Client
    subject: str
    jti: str
    issued_at: int
    expires_at: int


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    iss: str
    sub: str = Field(pattern=f"^(client:{_CLIENT}|person:{_UUID})$")
    aud: str | list[str]
    exp: int = Field(gt=0, lt=2**40)
    iat: int = Field(gt=0, lt=2**40)
    nbf: int = Field(default=0, ge=0, lt=2**40)
    jti: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    client_id: str = Field(pattern=f"^{_CLIENT}$")
    scope: str = Field(max_length=2_000)
    second_factor_at: int | None = Field(default=None, gt=0, lt=2**40)


class TokenVerifier:
    """Verifies the tokens of one issuer for one audience, from memory."""

    def __init__(self, issuer: str, audience: str, keys: KeySet, clock: Clock) -> None:
        self._issuer = issuer
        self._audience = audience
        self._source = keys
        self._keys = keys.keys
        self._clock = clock
        self._verified: OrderedDict[str, VerifiedToken] = OrderedDict()

    def verify(self, token: str) -> VerifiedToken:
        """The token's content; raises `Unauthenticated`, or `IdentityUnknown` while no key is known."""
        if self._keys is not self._source.keys:
            # A key that the issuer has withdrawn vouches for nothing that it has signed.
            self._keys = self._source.keys
            self._verified.clear()
        now = self._clock.now().timestamp()
        found = self._verified.get(token)
        if found is None:
            found = self._verify(token, now)
            self._verified[token] = found
            if len(self._verified) > MAX_REMEMBERED:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(token)
        if found.expires_at <= now:
            del self._verified[token]
            raise Unauthenticated(_REFUSED)
        return found

    def _verify(self, token: str, now: float) -> VerifiedToken:
        if not self._keys:
            raise IdentityUnknown
        shape = _SHAPE.fullmatch(token) if len(token) <= MAX_LENGTH else None
        if shape is None:
            raise Unauthenticated(_REFUSED)
        key = self._key(shape[1])
        try:
            signed = deserialize_compact(token, key.key, registry=_OneAlgorithm(key.algorithm))
            claims = _Claims.model_validate(parse(signed.payload))
        except (JoseError, JsonRefused, ValidationError, ValueError, TypeError):
            raise Unauthenticated(_REFUSED) from None
        self._check(claims, now)
        return _told_by(claims)

    def _key(self, header_text: str) -> VerifyingKey:
        """The key that the header names, once the header asks for nothing else."""
        try:
            header = parse(urlsafe_b64decode(header_text + "=" * (-len(header_text) % 4)))
        except (JsonRefused, ValueError):
            raise Unauthenticated(_REFUSED) from None
        if not isinstance(header, dict) or not _REFUSED_HEADERS.isdisjoint(header):
            raise Unauthenticated(_REFUSED)
        kid, kind = header.get("kid"), header.get("typ")
        if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise Unauthenticated(_REFUSED)
        key = self._keys.get(kid)
        if key is None:
            self._source.poller.nudge()
            raise Unauthenticated(_REFUSED)
        if header.get("alg") != key.algorithm:
            raise Unauthenticated(_REFUSED)
        return key

    def _check(self, claims: _Claims, now: float) -> None:
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        good = (
            claims.iss == self._issuer
            and self._audience in audiences
            and claims.exp > now
            and claims.iat <= now + SKEW_S
            and claims.nbf <= now + SKEW_S
            and (claims.sub.startswith("person:") or claims.sub == f"client:{claims.client_id}")
        )
        if not good:
            raise Unauthenticated(_REFUSED)


class _OneAlgorithm(JWSRegistry):
    """Knows the key's algorithm and no other.

    `EdDSA` is asked for by the name that every verifier knows; the library would warn at each token that
    RFC 9864 has a newer one.
    """

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)
        self._algorithm = algorithm

    def get_alg(self, name: str) -> Any:
        if name != self._algorithm:
            raise ValueError("another algorithm than the key's")
        return self.algorithms[name]


def _told_by(claims: _Claims) -> VerifiedToken:
    shown = claims.second_factor_at
    client = Client(
        id=claims.client_id,
        # Scopes of other services of the issuer mean nothing here.
        scopes=SCOPES.intersection(claims.scope.split(" ")),
        credential=f"token:{claims.jti}",
        actor=claims.sub,
        second_factor_at=None if shown is None else datetime.fromtimestamp(shown, UTC),
    )
    return VerifiedToken(client, claims.sub, claims.jti, claims.iat, claims.exp)


def looks_like_a_token(bearer: str) -> bool:
    """Whether a bearer is to be judged as a token and not as an API key."""
    return bearer.count(".") == 2
