"""All that a process takes for proof of who calls, as its settings say: tokens, keys of the trust feed, and
keys of the local file, asked in this order."""

from collections.abc import Sequence
from typing import Self

import httpx2

from service_kit.auth import ApiKeys, Authenticator, Client, IdentityUnknown, Unauthenticated
from service_kit.clock import Clock
from service_kit.jwks import KeySet
from service_kit.key_uses import KeyUses
from service_kit.polling import ASK_TIMEOUT_S, Poller
from service_kit.settings import ServiceSettings
from service_kit.tokens import TokenVerifier, looks_like_a_token
from service_kit.trust import TrustFeed

# How long a caller with an unknown key is kept waiting for news of it, and how many are at once.
NEWS_WITHIN_S = 1.0
MOST_WAITING = 64


class Authentication:
    """An `Authenticator`, and what must run for it to know. With neither an issuer nor a feed it is the file
    of keys."""

    def __init__(
        self,
        file: Authenticator,
        *,
        tokens: TokenVerifier | None = None,
        trust: TrustFeed | None = None,
        components: Sequence[tuple[str, Poller]] = (),
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._file = file
        self._tokens = tokens
        self._trust = trust
        self._http = http
        self._waiting = 0
        self.components = components

    @classmethod
    def of(cls, settings: ServiceSettings, clock: Clock) -> Self:
        """As the settings say; raises `InvalidKeysFile`."""
        file = ApiKeys.load(settings.api_keys_file, settings.api_key_pepper)
        if settings.token_issuer is None and settings.trust_url is None:
            return cls(file)
        http = httpx2.AsyncClient(timeout=ASK_TIMEOUT_S, trust_env=False, follow_redirects=False)
        components: list[tuple[str, Poller]] = []
        tokens, trust, on_news = None, None, None
        if settings.token_issuer is not None:
            assert settings.jwks_url is not None
            keys = KeySet(settings.jwks_url, http)
            tokens = TokenVerifier(settings.token_issuer, settings.token_audience, keys, clock)
            components.append(("issuer's keys", keys.poller))
            # The feed's news may be of a key that is about to sign, or of one that signs no more.
            on_news = keys.poller.nudge
        if settings.trust_url is not None:
            assert settings.trust_key is not None
            pepper = settings.api_key_pepper
            uses = KeyUses(settings.trust_url, settings.trust_key, http)
            trust = TrustFeed(
                *(settings.trust_url, settings.trust_key, http),
                pepper=pepper,
                clock=clock,
                on_news=on_news,
                uses=uses,
            )
            components += [("trust", trust.poller), ("key uses", uses.poller)]
        return cls(file, tokens=tokens, trust=trust, components=components, http=http)

    def authenticate(self, bearer: str) -> Client:
        """Who the bearer is, from memory; raises `Unauthenticated` or `IdentityUnknown`."""
        if self._tokens is not None and looks_like_a_token(bearer):
            token = self._tokens.verify(bearer)
            if self._trust is not None:
                self._trust.check(token)
            return token.client
        if self._trust is None:
            return self._file.authenticate(bearer)
        try:
            return self._trust.authenticate(bearer)
        except (Unauthenticated, IdentityUnknown) as refused:
            try:
                return self._file.authenticate(bearer)
            except Unauthenticated:
                raise refused from None

    async def ask_for_news(self) -> None:
        """Asks the trust feed, which asks at its own pace however many wait; beyond a bound nobody waits."""
        if self._trust is None or self._waiting >= MOST_WAITING:
            return
        self._waiting += 1
        try:
            await self._trust.poller.asked_anew(within_s=NEWS_WITHIN_S)
        finally:
            self._waiting -= 1

    async def learnt(self) -> None:
        """Returns once everybody who is asked has answered: before, good callers may be refused."""
        for _, poller in self.components:
            await poller.answered()

    async def close(self) -> None:
        """Closes the connections to the issuer."""
        if self._http is not None:
            await self._http.aclose()
