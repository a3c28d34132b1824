"""Which keys let somebody in is told to identity now and then, each once, and nothing is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import SecretStr
from service_kit.auth import Unauthenticated
from service_kit.clock import SystemClock
from service_kit.key_uses import MOST_AT_ONCE, KeyUses
from service_kit.trust import TrustFeed
from testkit.waiting import eventually

from .issuer import FEED_KEY, Issuer, running_issuer
from .sample_api import PEPPER, api_key

TRUST = "/internal/v1/trust"


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as issuer:
        yield issuer


@asynccontextmanager
async def telling(issuer: Issuer) -> AsyncIterator[tuple[KeyUses, TrustFeed]]:
    """A process that believes the issuer and tells it, often."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        uses = KeyUses(issuer.url + TRUST, SecretStr(FEED_KEY), http, every_s=0.05)
        trust = TrustFeed(
            *(issuer.url + TRUST, SecretStr(FEED_KEY), http),
            pepper=SecretStr(PEPPER.decode()),
            clock=SystemClock(),
            every_s=0.02,
            uses=uses,
        )
        running = [asyncio.create_task(poller.run()) for poller in (uses.poller, trust.poller)]
        await trust.poller.answered()
        yield uses, trust
        for poller in (uses.poller, trust.poller):
            poller.stop()
        await asyncio.gather(*running)


async def test_a_key_that_was_used_often_is_told_of_once_and_one_that_was_refused_never(
    issuer: Issuer,
) -> None:
    issuer.trust("abcdefgh", "demo")
    issuer.trust("bcdefgha", "demo")
    async with telling(issuer) as (_, trust):
        for _ in range(100):
            trust.authenticate(api_key("abcdefgh"))
        with pytest.raises(Unauthenticated):
            trust.authenticate(api_key("bcdefgha") + "x")
        await eventually(lambda: bool(issuer.used))
        trust.authenticate(api_key("bcdefgha"))
        await eventually(lambda: len(issuer.used) > 1)
    assert issuer.used == [["abcdefgh"], ["bcdefgha"]]


async def test_what_identity_could_not_be_told_is_told_when_it_is_back(issuer: Issuer) -> None:
    issuer.away = True
    async with httpx2.AsyncClient(trust_env=False) as http:
        uses = KeyUses(issuer.url + TRUST, SecretStr(FEED_KEY), http, every_s=0.02)
        uses.note("abcdefgh")
        running = asyncio.create_task(uses.poller.run())
        await eventually(lambda: uses.poller.failing)
        uses.note("bcdefgha")
        issuer.away = False
        await eventually(lambda: bool(issuer.used))
        uses.poller.stop()
        await running
    assert sorted(prefix for told in issuer.used for prefix in told) == ["abcdefgh", "bcdefgha"]


async def test_many_are_told_in_portions(issuer: Issuer) -> None:
    async with telling(issuer) as (uses, _):
        for number in range(MOST_AT_ONCE + 1):
            uses.note(f"{number:08}")
        await eventually(lambda: sum(map(len, issuer.used)) == MOST_AT_ONCE + 1)
    assert max(map(len, issuer.used)) == MOST_AT_ONCE
