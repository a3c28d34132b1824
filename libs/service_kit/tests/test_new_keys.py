"""A key opens from the moment on at which it was issued; keys that nobody issued cost the issuer nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import SecretStr
from service_kit.auth import ApiKeys
from service_kit.authentication import MOST_WAITING, Authentication
from service_kit.clock import SystemClock
from service_kit.http import create_app
from service_kit.trust import TrustFeed
from testkit.waiting import eventually

from .issuer import FEED_KEY, Issuer, running_issuer
from .sample_api import PEPPER, api_key, routes

FEED = "/internal/v1/trust"
AN_HOUR_S = 3_600.0


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as issuer:
        yield issuer


@asynccontextmanager
async def calling(issuer: Issuer, *, pause_s: float = 0.01) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a process that has just read the feed and would read it again in an hour."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        feed = TrustFeed(
            f"{issuer.url}{FEED}",
            SecretStr(FEED_KEY),
            http,
            pepper=SecretStr(PEPPER.decode()),
            clock=SystemClock(),
            every_s=AN_HOUR_S,
        )
        feed.poller._pause_s = pause_s
        running = asyncio.create_task(feed.poller.run())
        await feed.poller.answered()
        authentication = Authentication(ApiKeys([], PEPPER), trust=feed)
        app = create_app(service="t", title="t", version="1", api_keys=authentication, routers=[routes([])])
        transport = httpx2.ASGITransport(app=app)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://t") as caller:
                yield caller
        finally:
            issuer.answers.set()
            feed.poller.stop()
            await running


async def status(caller: httpx2.AsyncClient, bearer: str) -> int:
    answer = await caller.get("/v1/payments/1", headers={"authorization": f"Bearer {bearer}"})
    return answer.status_code


async def test_a_key_that_was_issued_just_now_opens_at_the_first_request(issuer: Issuer) -> None:
    async with calling(issuer) as caller:
        issuer.trust("justnoww", "demo")
        assert await status(caller, api_key("justnoww")) == 200
        assert await status(caller, api_key("justnoww")[:-1] + "x") == 401


async def test_made_up_keys_do_not_make_the_issuer_be_asked_more_often(issuer: Issuer) -> None:
    async with calling(issuer, pause_s=AN_HOUR_S) as caller:
        refused = await asyncio.gather(*(status(caller, api_key(f"made{n:04}")) for n in range(200)))
    assert set(refused) == {401}
    assert issuer.asked[FEED] == 1


async def test_what_is_no_key_at_all_waits_for_nobody(issuer: Issuer) -> None:
    async with calling(issuer) as caller:
        assert await status(caller, "letmein") == 401
    assert issuer.asked[FEED] == 1


async def test_while_the_issuer_hangs_only_some_callers_with_bad_keys_wait_for_it(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can fill a process with them: the others are refused at once."""
    monkeypatch.setattr("service_kit.authentication.NEWS_WITHIN_S", AN_HOUR_S)
    async with calling(issuer) as caller:
        issuer.answers.clear()
        asking = [
            asyncio.create_task(status(caller, api_key(f"made{n:04}"))) for n in range(MOST_WAITING + 10)
        ]
        await eventually(lambda: sum(task.done() for task in asking) == 10)
        issuer.answers.set()
        assert set(await asyncio.gather(*asking)) == {401}


async def test_while_the_issuer_is_away_a_bad_key_is_refused_all_the_same(issuer: Issuer) -> None:
    async with calling(issuer) as caller:
        issuer.away = True
        assert await status(caller, api_key("unknownn")) == 401
