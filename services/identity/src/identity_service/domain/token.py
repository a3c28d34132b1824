"""Access tokens: what they say (RFC 9068) and how they are written (RFC 7515, compact)."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

LIFETIME = timedelta(minutes=10)
ALGORITHM = "EdDSA"
TYPE = "at+jwt"
_MAX_LENGTH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `subject` is who acts, `client_id` whose data it is; `more` is for people."""

    issuer: str
    audience: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    token_id: UUID
    issued_at: datetime
    more: Mapping[str, Any] | None = None

    @property
    def expires_at(self) -> datetime:
        """When it ends by itself."""
        return self.issued_at + LIFETIME

    def encoded(self) -> dict[str, Any]:
        """As they stand in the token."""
        issued_s = int(self.issued_at.timestamp())
        return {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.audience,
            "client_id": self.client_id,
            "scope": " ".join(sorted(self.scopes)),
            "jti": str(self.token_id),
            "iat": issued_s,
            "exp": issued_s + int(LIFETIME.total_seconds()),
            **(self.more or {}),
        }


def write_token(claims: Claims, *, kid: str, sign: Callable[[bytes], bytes]) -> str:
    """The token's text, signed by the key of this `kid`."""
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": kid}
    signed = f"{_encode(_json(header))}.{_encode(_json(claims.encoded()))}"
    return f"{signed}.{_encode(sign(signed.encode()))}"


def read_token(token: str, *, verify: Callable[[str, bytes, bytes], bool]) -> Mapping[str, Any] | None:
    """The claims of a token of ours, expired or not; None for anything else. `verify` is given the kid, what
    was signed, and the signature."""
    if len(token) > _MAX_LENGTH or not token.isascii() or token.count(".") != 2:
        return None
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        if not isinstance(header, dict) or not isinstance(claims, dict):
            return None
        kid = header.get("kid")
        if (header.get("alg"), header.get("typ")) != (ALGORITHM, TYPE) or not isinstance(kid, str):
            return None
        return claims if verify(kid, signed.encode(), _decode(signature)) else None
    except (ValueError, RecursionError):
        return None


def public_jwk(public_key: bytes) -> dict[str, str]:
    """A signing key's public half as RFC 8037 writes it."""
    return {"crv": "Ed25519", "kty": "OKP", "x": _encode(public_key)}


def thumbprint(public_key: bytes) -> str:
    """What the key is called: RFC 7638."""
    return _encode(hashlib.sha256(_json(public_jwk(public_key))).digest())


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
