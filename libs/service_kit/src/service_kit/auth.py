"""API keys: who calls, and what it may do. A route that does not say what it requires is a bug (see
`protection`).

A key is 256 random bits; the file holds only its HMAC under a pepper that lies elsewhere, so a stolen
file opens nothing. HMAC and not a slow hash: there is nothing to guess in 256 random bits, and it runs on
every request.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from service_kit.problems import Problem

SCOPES = frozenset(
    {
        "payments:write",
        "payments:read",
        "accounts:write",
        "accounts:read",
        "reviews:read",
        "reviews:decide",
        "reviews:any-client",
        "rules:read",
        "rules:write",
        "webhooks:write",
        "webhooks:read",
    }
)
_MAX_KEY_LENGTH = 128


class InvalidKeysFile(Exception):
    """The file of API keys cannot be used; the text says why and never quotes it."""


@dataclass(frozen=True)
class Client:
    """An upstream system that has shown a good key."""

    id: str
    scopes: frozenset[str]
    key_prefix: str


class _KeyEntry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    client: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    prefix: str = Field(pattern=r"^[a-z2-7]{8}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: list[str]


class _KeysFile(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: list[_KeyEntry]


class ApiKeys:
    """The keys this process accepts."""

    def __init__(self, entries: Iterable[tuple[Client, bytes]], pepper: bytes) -> None:
        self._hmac = hmac.new(pepper, digestmod=hashlib.sha256)
        self._by_prefix = {client.key_prefix: (client, digest) for client, digest in entries}

    @classmethod
    def load(cls, file: Path, pepper: str | SecretStr) -> Self:
        """Reads the file; raises `InvalidKeysFile` for one that is missing, malformed or ambiguous."""
        try:
            content = _KeysFile.model_validate_json(file.read_bytes())
        except OSError as error:
            raise InvalidKeysFile(f"cannot read the file of API keys {file}: {error.strerror}") from None
        except ValidationError as error:
            places = ", ".join(".".join(str(part) for part in fault["loc"]) for fault in error.errors())
            raise InvalidKeysFile(f"the file of API keys {file} is malformed at: {places}") from None
        prefixes = [entry.prefix for entry in content.keys]
        if len(set(prefixes)) != len(prefixes):
            raise InvalidKeysFile(f"two keys of {file} have the same prefix: make one of them anew")
        unknown = {scope for entry in content.keys for scope in entry.scopes} - SCOPES
        if unknown:
            raise InvalidKeysFile(f"{file} grants scopes that do not exist: {', '.join(sorted(unknown))}")
        secret = pepper.get_secret_value() if isinstance(pepper, SecretStr) else pepper
        entries = [
            (Client(entry.client, frozenset(entry.scopes), entry.prefix), bytes.fromhex(entry.digest))
            for entry in content.keys
        ]
        return cls(entries, secret.encode())

    def authenticate(self, key: str) -> Client | None:
        """The client whose key this is, in a time that does not tell how nearly it was one."""
        if len(key) > _MAX_KEY_LENGTH or not key.isascii():
            return None
        entry = self._by_prefix.get(key[4:12]) if key.startswith("flk_") else None
        # A copy of the prepared state: keying HMAC anew costs more than hashing the key.
        keyed = self._hmac.copy()
        keyed.update(key.encode())
        digest = keyed.digest()
        # Compared even when the prefix is unknown, so that known prefixes cannot be told by the clock.
        expected = entry[1] if entry is not None else bytes(32)
        matches = hmac.compare_digest(digest, expected)
        return entry[0] if entry is not None and matches else None


def key_digest(key: str, pepper: bytes) -> bytes:
    """What is stored of a key: HMAC-SHA-256 of the whole key's text under the pepper."""
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


class requires:  # noqa: N801  reads as a word where it is used
    """A dependency that lets a request through only with a key that has every named scope.

    `client: Annotated[Client, Depends(requires("payments:write"))]`. Answers 401 without a good key and 403
    without a scope. Reads the keys from `app.state.api_keys`, where `create_app` puts them.
    """

    def __init__(self, *scopes: str) -> None:
        unknown = set(scopes) - SCOPES
        if not scopes or unknown:
            raise ValueError(f"requires() names at least one scope that exists, not {sorted(unknown)}")
        self.scopes = frozenset(scopes)

    async def __call__(self, request: Request) -> Client:
        keys: ApiKeys = request.app.state.api_keys
        client = keys.authenticate(_bearer(request.scope["headers"]))
        if client is None:
            raise _unauthenticated("The API key is not valid.")
        if not self.scopes <= client.scopes:
            missing = ", ".join(sorted(self.scopes - client.scopes))
            raise Problem(403, "forbidden", "Forbidden", f"The API key lacks the scope {missing}.")
        request.scope["florin.client"] = client.id
        return client


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        raise _unauthenticated("Send an API key: Authorization: Bearer flk_…")
    if len(values) > 1:
        raise _unauthenticated("Send one Authorization header, not several.")
    scheme, _, key = values[0].partition(b" ")
    if scheme.lower() != b"bearer" or not key:
        raise _unauthenticated("The Authorization header must read: Bearer flk_…")
    return key.strip().decode("latin-1")


def _unauthenticated(detail: str) -> Problem:
    return Problem(
        401,
        "unauthenticated",
        "Unauthenticated",
        detail,
        headers={"www-authenticate": 'Bearer realm="florin"'},
    )
