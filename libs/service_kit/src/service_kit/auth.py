"""Who calls, and whether it may: what a bearer is taken for, API keys, and what a route requires.

An API key is 256 random bits; the file holds only its HMAC under a pepper that lies elsewhere, so a stolen
file opens nothing. HMAC and not a slow hash: there is nothing to guess in 256 random bits, and it runs on
every request. A route that does not say what it requires is a bug (see `protection`).
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from service_kit import access
from service_kit.clock import Clock
from service_kit.problems import RETRY_AFTER_S, Problem
from service_kit.rate_limits import RateLimiter, class_of

SCOPES = frozenset(access.SCOPES)
# How long a person's second factor counts as just shown, for what asks for a fresh one.
FRESH = timedelta(minutes=5)
# RFC 6750: what a client reads to know why it was refused.
_REALM = 'Bearer realm="florin"'
_MAX_KEY_LENGTH = 128
# Where the principal lies for whoever writes down what was done.
PRINCIPAL = "florin.principal"


class InvalidKeysFile(Exception):
    """The file of API keys cannot be used; the text says why and never quotes it."""


class Unauthenticated(Exception):
    """What was sent proves nothing; the text says what to send instead and never quotes it."""


class UnknownKey(Unauthenticated):
    """What has the form of an API key and is none that is known: it may have been issued just now."""


class IdentityUnknown(Exception):
    """It cannot be told yet whether the bearer is good: nobody has said which keys are."""


@dataclass(frozen=True, slots=True)
class Client:
    """The principal that calls: an upstream system, or a person who belongs to one.

    `id` is the tenant, whose data it sees. `credential` is what it has shown (`key:abcd2345`, `token:<jti>`),
    `actor` who is written down as the author of what it does: `client:<id>` or `person:<uuid>`.
    `second_factor_at` is when a person last showed a second factor.
    """

    id: str
    scopes: frozenset[str]
    credential: str = ""
    actor: str = ""
    second_factor_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.actor:
            object.__setattr__(self, "actor", f"client:{self.id}")

    @property
    def is_person(self) -> bool:
        return self.actor.startswith("person:")


class Authenticator(Protocol):
    """Tells who a bearer is."""

    def authenticate(self, bearer: str) -> Client:
        """The principal whose bearer this is, from memory; raises `Unauthenticated` (`UnknownKey` where news
        could change that) or `IdentityUnknown`."""
        ...

    async def ask_for_news(self) -> None:
        """Asks whoever issues keys what is new, for a moment at most; returns without an answer too."""
        ...


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
    """The keys this process accepts, each with its client, whose `credential` is `key:<prefix>`."""

    def __init__(self, entries: Iterable[tuple[Client, bytes]], pepper: bytes) -> None:
        self._hmac = hmac.new(pepper, digestmod=hashlib.sha256)
        self._by_prefix = {
            client.credential.removeprefix("key:"): (client, digest) for client, digest in entries
        }

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
            (
                Client(entry.client, frozenset(entry.scopes), f"key:{entry.prefix}"),
                bytes.fromhex(entry.digest),
            )
            for entry in content.keys
        ]
        return cls(entries, secret.encode())

    def authenticate(self, bearer: str) -> Client:
        """The client whose key this is, in a time that does not tell how nearly it was one."""
        if len(bearer) > _MAX_KEY_LENGTH or not bearer.isascii() or not bearer.startswith("flk_"):
            raise Unauthenticated("The API key is not valid.")
        entry = self._by_prefix.get(bearer[4:12])
        # A copy of the prepared state: keying HMAC anew costs more than hashing the key.
        keyed = self._hmac.copy()
        keyed.update(bearer.encode())
        digest = keyed.digest()
        # Compared even when the prefix is unknown, so that known prefixes cannot be told by the clock.
        expected = entry[1] if entry is not None else bytes(32)
        matches = hmac.compare_digest(digest, expected)
        if entry is None or not matches:
            # Of either alike: who is answered late is not told whether the prefix exists.
            raise UnknownKey("The API key is not valid.")
        return entry[0]

    async def ask_for_news(self) -> None:
        """There is none: these are the keys."""


def key_digest(key: str, pepper: bytes) -> bytes:
    """What is stored of a key: HMAC-SHA-256 of the whole key's text under the pepper."""
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


class requires:  # noqa: N801  reads as a word where it is used
    """A dependency that lets a request through only with a credential that has every named scope.

    401 without a good credential, 403 without a scope. With `fresh`, a person must have shown a second factor
    within `FRESH`, else 401 with RFC 9470's challenge. Each request of a known client counts against its
    limits, also one that lacks the scope: 429. Reads `app.state.authenticator`, `rate_limiter` and `clock`,
    which `create_app` sets.
    """

    def __init__(self, *scopes: str, fresh: bool = False) -> None:
        unknown = set(scopes) - SCOPES
        if not scopes or unknown:
            raise ValueError(f"requires() names at least one scope that exists, not {sorted(unknown)}")
        self.scopes = frozenset(scopes)
        # Each a set of scopes that lets in by itself.
        self.ways: tuple[frozenset[str], ...] = (self.scopes,)
        self.fresh = fresh

    async def __call__(self, request: Request) -> Client:
        authenticator: Authenticator = request.app.state.authenticator
        try:
            client = await _authenticated(authenticator, _bearer(request.scope["headers"]))
        except Unauthenticated as refused:
            raise _unauthenticated(str(refused), challenge=f'{_REALM}, error="invalid_token"') from None
        except IdentityUnknown:
            raise _identity_unavailable() from None
        request.scope[PRINCIPAL] = client
        limiter: RateLimiter = request.app.state.rate_limiter
        await limiter.admit(request.scope, client.id, class_of(request.scope["method"], self.scopes))
        if not any(way <= client.scopes for way in self.ways):
            raise _forbidden(self.ways, client.scopes)
        if self.fresh and client.is_person:
            _ask_for_second_factor(client, request.app.state.clock)
        return client


class requires_one_of(requires):  # noqa: N801
    """The same with a credential that has any one of the scopes; what each lets do, the route says."""

    def __init__(self, *scopes: str, fresh: bool = False) -> None:
        super().__init__(*scopes, fresh=fresh)
        self.ways = tuple(frozenset({scope}) for scope in scopes)


def demand(client: Client, *scopes: str) -> None:
    """Raises the problem of a missing scope: for what only the request's body shows to be needed."""
    if not client.scopes.issuperset(scopes):
        raise _forbidden((frozenset(scopes),), client.scopes)


async def _authenticated(authenticator: Authenticator, bearer: str) -> Client:
    """The principal; a key is good from the moment on at which it was issued, and not a second later."""
    try:
        return authenticator.authenticate(bearer)
    except UnknownKey:
        await authenticator.ask_for_news()
        return authenticator.authenticate(bearer)


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        raise _unauthenticated("Send an API key or an access token: Authorization: Bearer …")
    if len(values) > 1:
        raise _unauthenticated("Send one Authorization header, not several.")
    scheme, _, bearer = values[0].partition(b" ")
    if scheme.lower() != b"bearer" or not bearer:
        raise _unauthenticated("The Authorization header must read: Bearer, a space, and the credential.")
    return bearer.strip().decode("latin-1")


def _unauthenticated(detail: str, *, challenge: str = _REALM) -> Problem:
    headers = {"www-authenticate": challenge}
    return Problem(401, "unauthenticated", "Unauthenticated", detail, headers=headers)


def _forbidden(ways: Sequence[frozenset[str]], held: frozenset[str]) -> Problem:
    missing = " or ".join(", ".join(sorted(way - held)) for way in ways)
    needed = " ".join(sorted(frozenset[str]().union(*ways)))
    challenge = f'{_REALM}, error="insufficient_scope", scope="{needed}"'
    return Problem(
        403,
        "forbidden",
        "Forbidden",
        f"The credential lacks the scope {missing}.",
        headers={"www-authenticate": challenge},
    )


def _ask_for_second_factor(person: Client, clock: Clock) -> None:
    """Raises the problem unless the person has just shown a second factor."""
    if person.second_factor_at is not None and clock.now() - person.second_factor_at <= FRESH:
        return
    challenge = f'{_REALM}, error="insufficient_user_authentication", max_age="{FRESH.seconds}"'
    raise Problem(
        401,
        "insufficient_user_authentication",
        "Second factor needed",
        "Show your second factor again, then repeat the request with the new token.",
        headers={"www-authenticate": challenge},
    )


def _identity_unavailable() -> Problem:
    return Problem(
        503,
        "identity_unavailable",
        "Identity unavailable",
        "It cannot be told at present whether the credential is good. Nothing was done; retry later.",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )
