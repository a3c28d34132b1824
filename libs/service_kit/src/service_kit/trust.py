"""The trust feed: which API keys are good and which tokens are revoked, as identity tells it.

Asked for once a second, so that a revocation holds everywhere within seconds and no request waits for
identity. What was had last is kept while identity is away; `florin_trust_age_seconds` tells how old it is.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx2
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from service_kit.auth import SCOPES, ApiKeys, Client, IdentityUnknown, Unauthenticated
from service_kit.clock import Clock
from service_kit.key_uses import KeyUses
from service_kit.polling import Poller, Unusable
from service_kit.telemetry import gauge
from service_kit.tokens import VerifiedToken

EVERY_S = 1.0
_PAUSE_S = 0.2
_NEVER = float("nan")

_AGE = gauge("trust_age_seconds", "Since identity last told which keys are good.")


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    prefix: str = Field(pattern=r"^[a-z2-7]{8}$")
    client: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: list[str]
    not_after: AwareDatetime | None = None


class _Revoked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    clients: dict[str, AwareDatetime] = {}
    people: dict[UUID, AwareDatetime] = {}
    tokens: dict[str, AwareDatetime] = {}


class _Feed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    version: int
    keys: list[_Key]
    revoked: _Revoked


@dataclass(frozen=True, slots=True)
class _Trust:
    """What identity has told: the keys, when some end, and until when tokens of a subject are refused."""

    keys: ApiKeys
    ends: Mapping[str, datetime]
    revoked_until: Mapping[str, float]
    revoked_tokens: frozenset[str] = field(repr=False)


class TrustFeed:
    """What identity last told, and the component that asks it (`poller`); `on_news` is called whenever that
    is something else than before."""

    def __init__(
        self,
        url: str,
        key: SecretStr,
        http: httpx2.AsyncClient,
        *,
        pepper: SecretStr,
        clock: Clock,
        every_s: float = EVERY_S,
        on_news: Callable[[], None] | None = None,
        uses: KeyUses | None = None,
    ) -> None:
        self.poller = Poller("the trust feed", self._ask, every_s=every_s, pause_s=min(_PAUSE_S, every_s))
        self._url = url
        self._key = key
        self._http = http
        self._pepper = pepper.get_secret_value().encode()
        self._clock = clock
        self._on_news = on_news
        self._uses = uses
        self._etag: str | None = None
        self._trust: _Trust | None = None
        self._told_at = _NEVER
        _AGE.set_function(lambda: time.monotonic() - self._told_at)

    def authenticate(self, bearer: str) -> Client:
        """The client whose key this is, from memory; raises `Unauthenticated`, or `IdentityUnknown` while
        identity has never told."""
        client = self._known().keys.authenticate(bearer)
        ends = self._known().ends.get(client.credential)
        if ends is not None and ends <= self._clock.now():
            raise Unauthenticated("The API key has expired.")
        if self._uses is not None:
            self._uses.note(client.credential.removeprefix("key:"))
        return client

    def check(self, token: VerifiedToken) -> None:
        """Raises `Unauthenticated` for a revoked token, and `IdentityUnknown` like `authenticate`."""
        trust = self._known()
        client = f"client:{token.client.id}"
        until = max(trust.revoked_until.get(client, 0.0), trust.revoked_until.get(token.subject, 0.0))
        if token.issued_at <= until or token.jti in trust.revoked_tokens:
            raise Unauthenticated("The access token has been revoked.")

    def _known(self) -> _Trust:
        if self._trust is None:
            self.poller.nudge()
            raise IdentityUnknown
        return self._trust

    async def _ask(self) -> None:
        headers = {"authorization": f"Bearer {self._key.get_secret_value()}", "accept": "application/json"}
        if self._etag is not None:
            headers["if-none-match"] = self._etag
        answer = await self._http.get(self._url, headers=headers)
        if answer.status_code == 200:
            self._trust = _read(answer.content, self._pepper)
            self._etag = answer.headers.get("etag")
            if self._on_news is not None:
                self._on_news()
        elif answer.status_code != 304 or self._trust is None:
            raise Unusable(f"status {answer.status_code}")
        self._told_at = time.monotonic()


def _read(document: bytes, pepper: bytes) -> _Trust:
    try:
        feed = _Feed.model_validate_json(document)
    except ValidationError as error:
        places = ", ".join(".".join(str(part) for part in fault["loc"]) for fault in error.errors()[:5])
        raise Unusable(f"the feed is malformed at: {places}") from None
    entries = [
        (Client(key.client, SCOPES.intersection(key.scopes), f"key:{key.prefix}"), bytes.fromhex(key.digest))
        for key in feed.keys
    ]
    people = {f"person:{person}": at for person, at in feed.revoked.people.items()}
    clients = {f"client:{client}": at for client, at in feed.revoked.clients.items()}
    return _Trust(
        keys=ApiKeys(entries, pepper),
        ends={f"key:{key.prefix}": key.not_after.astimezone(UTC) for key in feed.keys if key.not_after},
        revoked_until={subject: at.timestamp() for subject, at in (clients | people).items()},
        revoked_tokens=frozenset(feed.revoked.tokens),
    )
