"""What the issuer tells is learnt in the background, holds within moments, and outlasts the issuer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from pydantic import SecretStr
from service_kit.auth import ApiKeys, Client, IdentityUnknown, Unauthenticated, key_digest
from service_kit.authentication import Authentication
from service_kit.clock import SystemClock
from service_kit.jwks import KeySet
from service_kit.settings import ServiceSettings, SettingsError
from service_kit.tokens import TokenVerifier
from service_kit.trust import TrustFeed
from testkit.waiting import eventually

from .issuer import FEED_KEY, ISSUER, Issuer, new_key, running_issuer
from .sample_api import PEPPER, api_key

PERSON = UUID(int=7)
FILE = ApiKeys(
    [(Client("file", frozenset(), "key:filefile"), key_digest(api_key("filefile"), PEPPER))], PEPPER
)


@asynccontextmanager
async def believing(url: str, *, file: ApiKeys = FILE) -> AsyncIterator[Authentication]:
    """A process's authentication that asks the issuer at `url`, quickly."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        keys = KeySet(f"{url}/.well-known/jwks.json", http, every_s=0.05, pause_s=0.02)
        trust = TrustFeed(
            f"{url}/internal/v1/trust",
            SecretStr(FEED_KEY),
            http,
            pepper=SecretStr(PEPPER.decode()),
            clock=SystemClock(),
            every_s=0.02,
        )
        tokens = TokenVerifier(ISSUER, "florin", keys, SystemClock())
        pollers = [keys.poller, trust.poller]
        running = [asyncio.create_task(poller.run()) for poller in pollers]
        yield Authentication(file, tokens=tokens, trust=trust)
        for poller in pollers:
            poller.stop()
        await asyncio.gather(*running)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as issuer:
        yield issuer


@pytest.fixture
async def process(issuer: Issuer) -> AsyncIterator[Authentication]:
    """A process that has heard of the issuer's keys."""
    async with believing(issuer.url) as authentication:
        await eventually(lambda: accepts(authentication, issuer.token()))
        yield authentication


async def accepts(authentication: Authentication, bearer: str) -> bool:
    try:
        authentication.authenticate(bearer)
    except (Unauthenticated, IdentityUnknown):
        return False
    return True


async def refuses(authentication: Authentication, bearer: str) -> bool:
    try:
        authentication.authenticate(bearer)
    except Unauthenticated:
        return True
    return False


async def test_keys_of_the_feed_and_of_the_file_both_open(issuer: Issuer, process: Authentication) -> None:
    issuer.trust("feedkeys", "demo")
    await eventually(lambda: accepts(process, api_key("feedkeys")))
    client = process.authenticate(api_key("feedkeys"))
    assert (client.id, client.scopes, client.credential) == (
        "demo",
        frozenset({"payments:write"}),
        "key:feedkeys",
    )
    assert process.authenticate(api_key("filefile")).id == "file"
    assert await refuses(process, api_key("feedkeys")[:-1] + "x")
    issuer.keys.clear()
    issuer.version += 1
    await eventually(lambda: refuses(process, api_key("feedkeys")))


async def test_a_key_ends_at_its_instant_also_when_nobody_tells(
    issuer: Issuer, process: Authentication
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    issuer.trust("brieflyy", "demo", not_after=soon.isoformat())
    await eventually(lambda: accepts(process, api_key("brieflyy")))
    issuer.away = True
    await eventually(lambda: refuses(process, api_key("brieflyy")))
    assert datetime.now(UTC) >= soon


REVOCATIONS: dict[str, Callable[[Issuer, str], None]] = {
    "its client": lambda issuer, _: issuer.revoke("clients", "demo", datetime.now(UTC)),
    "its person": lambda issuer, _: issuer.revoke("people", str(PERSON), datetime.now(UTC)),
    "itself": lambda issuer, jti: issuer.revoke("tokens", jti, datetime.now(UTC) + timedelta(minutes=9)),
}


@pytest.mark.parametrize("what", REVOCATIONS)
async def test_a_revoked_token_that_was_accepted_is_refused_within_moments(
    issuer: Issuer, process: Authentication, what: str
) -> None:
    jti = "0193-revoked"
    revoked, other = (
        issuer.token(sub=f"person:{PERSON}", jti=jti),
        issuer.token(client_id="o", sub="client:o"),
    )
    assert process.authenticate(revoked).id == "demo"
    REVOCATIONS[what](issuer, jti)
    await eventually(lambda: refuses(process, revoked))
    assert process.authenticate(other).id == "o"
    issued_later = int(datetime.now(UTC).timestamp()) + 5
    assert await accepts(process, issuer.token(sub=f"person:{PERSON}", iat=issued_later))


async def test_what_was_known_holds_while_the_issuer_is_away(issuer: Issuer, process: Authentication) -> None:
    issuer.trust("feedkeys", "demo")
    await eventually(lambda: accepts(process, api_key("feedkeys")))
    issuer.away = True
    asked = dict(issuer.asked)
    await eventually(lambda: _asked_more(issuer, asked))
    assert await accepts(process, issuer.token())
    assert await accepts(process, api_key("feedkeys"))


async def _asked_more(issuer: Issuer, before: dict[str, int]) -> bool:
    return all(issuer.asked[path] >= count + 2 for path, count in before.items())


async def test_before_the_issuer_was_heard_only_the_file_is_believed(issuer: Issuer) -> None:
    issuer.away = True
    async with believing(issuer.url) as process:
        assert process.authenticate(api_key("filefile")).id == "file"
        for unknown in (issuer.token(), api_key("feedkeys")):
            with pytest.raises(IdentityUnknown):
                process.authenticate(unknown)
        issuer.away = False
        await eventually(lambda: accepts(process, issuer.token()))


async def test_no_request_is_refused_while_keys_are_rotated_under_load(
    issuer: Issuer, process: Authentication
) -> None:
    """Published, then used, then withdrawn when all it has signed has ended: at no instant is one refused."""
    answered, stopping = 0, asyncio.Event()

    async def load() -> None:
        nonlocal answered
        while not stopping.is_set():
            process.authenticate(issuer.token())
            answered += 1
            await asyncio.sleep(0)

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for number in range(5):
        before, successor = issuer.signing, new_key(f"next-{number}", "ES256" if number % 2 else "EdDSA")
        issuer.published = [before, successor]
        await eventually(partial(_asked_more, issuer, dict(issuer.asked)))
        issuer.signing = successor
        last = issuer.token()
        issuer.published = [successor]
        await eventually(partial(_withdrawn, process, str(before.kid)))
        assert await accepts(process, last)
    stopping.set()
    await asyncio.gather(*loads)
    assert answered > 50


async def _withdrawn(process: Authentication, kid: str) -> bool:
    assert process._tokens is not None
    return kid not in process._tokens._source.keys


async def test_made_up_kids_do_not_make_the_issuer_be_asked_more_often(issuer: Issuer) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        keys = KeySet(f"{issuer.url}/.well-known/jwks.json", http, every_s=600, pause_s=600)
        running = asyncio.create_task(keys.poller.run())
        tokens = TokenVerifier(ISSUER, "florin", keys, SystemClock())
        await eventually(lambda: _has_keys(keys))
        good = issuer.token()
        issuer.signing = new_key("made-up")
        for _ in range(100):
            with pytest.raises(Unauthenticated):
                tokens.verify(issuer.token())
            await asyncio.sleep(0)
        tokens.verify(good)
        keys.poller.stop()
        await running
    assert issuer.asked["/.well-known/jwks.json"] == 1


async def test_an_unknown_kid_makes_the_issuer_be_asked_at_once(issuer: Issuer) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        keys = KeySet(f"{issuer.url}/.well-known/jwks.json", http, every_s=600, pause_s=0.01)
        running = asyncio.create_task(keys.poller.run())
        tokens = TokenVerifier(ISSUER, "florin", keys, SystemClock())
        await eventually(lambda: _has_keys(keys))
        issuer.signing = new_key("unheard-of")
        issuer.published = [issuer.signing]
        process = Authentication(FILE, tokens=tokens)
        await eventually(lambda: accepts(process, issuer.token()))
        keys.poller.stop()
        await running


async def test_news_of_the_feed_make_the_issuer_be_asked_at_once(
    issuer: Issuer, environment: pytest.MonkeyPatch
) -> None:
    """A key that is to sign is known before it does, and one that leaked is forgotten, long before the minute
    after which the keys are asked for anyhow."""
    believe(environment, issuer)
    process = Authentication.of(ServiceSettings.read(), SystemClock())
    running = [asyncio.create_task(component.run()) for _, component in process.components]
    await process.learnt()
    withdrawn, issuer.signing = issuer.token(), new_key("second")
    issuer.published = [issuer.signing]
    issuer.version += 1
    await eventually(lambda: refuses(process, withdrawn), timeout_s=20)
    process.authenticate(issuer.token())
    for _, component in process.components:
        component.stop()
    await asyncio.gather(*running)
    await process.close()


async def _has_keys(keys: KeySet) -> bool:
    return bool(keys.keys)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": []}))
    monkeypatch.setenv("FLORIN_DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("FLORIN_API_KEYS_FILE", str(keys))
    monkeypatch.setenv("FLORIN_API_KEY_PEPPER", PEPPER.decode())
    monkeypatch.setenv("FLORIN_ENVIRONMENT", "development")
    return monkeypatch


def believe(environment: pytest.MonkeyPatch, issuer: Issuer) -> None:
    """Let the settings name this issuer."""
    environment.setenv("FLORIN_TOKEN_ISSUER", ISSUER)
    environment.setenv("FLORIN_JWKS_URL", f"{issuer.url}/.well-known/jwks.json")
    environment.setenv("FLORIN_TRUST_URL", f"{issuer.url}/internal/v1/trust")
    environment.setenv("FLORIN_TRUST_KEY", FEED_KEY)


async def test_a_process_believes_whom_its_settings_name(
    issuer: Issuer, environment: pytest.MonkeyPatch
) -> None:
    believe(environment, issuer)
    process = Authentication.of(ServiceSettings.read(), SystemClock())
    running = [asyncio.create_task(component.run()) for _, component in process.components]
    await eventually(lambda: accepts(process, issuer.token()))
    for _, component in process.components:
        component.stop()
    await asyncio.gather(*running)
    await process.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLORIN_TOKEN_ISSUER", ISSUER),
        ("FLORIN_JWKS_URL", "https://identity.test/jwks"),
        ("FLORIN_TRUST_URL", "https://identity.test/trust"),
        ("FLORIN_TRUST_KEY", FEED_KEY),
        ("FLORIN_TRUST_URL", "file:///etc/passwd"),
    ],
)
def test_half_a_setting_of_trust_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=r"FLORIN_\w+") as refused:
        ServiceSettings.read()
    assert FEED_KEY not in str(refused.value)
