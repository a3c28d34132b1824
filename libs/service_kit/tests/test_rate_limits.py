"""Rates are exact within a twentieth, shared between replicas, and never what stops a payment."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest
from florin.backing.redis import Redis
from service_kit.problems import Problem
from service_kit.rate_budgets import SLOTS, Budgets, LocalBudgets, Rate, RedisBudgets
from service_kit.rate_limits import RateLimiter, class_of
from service_kit.telemetry import REGISTRY
from testkit.waiting import eventually

from .sample_api import api_key, make_sample

BODY = {"debtor": "a", "amount_minor": 1}
SERVICE = "sample"
# On a busy machine Redis may take longer than a request waits for it: each replica would count for itself.
PATIENT_S = 10.0


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def replicas(rate: Rate, *redis_urls: str | None) -> AsyncIterator[Sequence[httpx2.AsyncClient]]:
    """A client of each of several sample APIs with the same rate for money, one for each address given."""
    async with AsyncExitStack() as closing:
        clients = []
        for url in redis_urls:
            app = make_sample().app
            app.state.rate_limiter = limiter = RateLimiter.of(
                {"money": rate}, url, service=SERVICE, redis_timeout_s=PATIENT_S
            )
            closing.push_async_callback(limiter.close)
            transport = httpx2.ASGITransport(app=app)
            headers = {"authorization": f"Bearer {api_key('abcdefgh')}", "idempotency-key": "k"}
            client = httpx2.AsyncClient(transport=transport, base_url="http://sample", headers=headers)
            clients.append(await closing.enter_async_context(client))
        yield clients


async def pay(client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.post("/v1/payments", json=BODY)


def degraded() -> float | None:
    return REGISTRY.get_sample_value("florin_rate_limiter_degraded", {"service": SERVICE})


@pytest.fixture
async def fresh_redis_url(redis_url: str) -> AsyncIterator[str]:
    """The shared Redis without what another test has counted there."""
    yield redis_url
    budgets = RedisBudgets(redis_url, service=SERVICE)
    await budgets._redis.flushdb()
    await budgets.close()


@pytest.mark.parametrize("shares", [(1, 1), (9, 1)])
async def test_two_replicas_share_one_quota(fresh_redis_url: str, shares: tuple[int, int]) -> None:
    rate = Rate("money", 200, 60)
    async with replicas(rate, fresh_redis_url, fresh_redis_url) as (one, other):
        load = [one] * (60 * shares[0]) + [other] * (60 * shares[1])
        secrets.SystemRandom().shuffle(load)
        counted = Counter[int]()
        for start in range(0, len(load), 30):
            answers = await asyncio.gather(*(pay(client) for client in load[start : start + 30]))
            counted.update(answer.status_code for answer in answers)
        counted.update([(await pay(client)).status_code for client in (one, other) for _ in range(120)])
    assert set(counted) == {202, 429}
    assert 0.95 * rate.quota <= counted[202] <= rate.quota


async def test_what_one_client_asks_is_not_counted_for_another() -> None:
    async with replicas(Rate("money", 1, 60), None) as (client,):
        assert [(await pay(client)).status_code for _ in range(2)] == [202, 429]
        other = await client.post("/v1/payments", headers={"authorization": f"Bearer {api_key('readerzz')}"})
        assert other.status_code == 403


async def test_an_answer_tells_what_is_left_and_a_refusal_when_to_come_again() -> None:
    async with replicas(Rate("money", 3, 60), None) as (client,):
        answers = [await pay(client) for _ in range(4)]
        unlimited = await client.get("/v1/payments/1")
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"money";q=3;w=60'}
    told = [answer.headers["ratelimit"].split(";") for answer in answers]
    assert [(name, left) for name, left, _ in told] == [('"money"', f"r={left}") for left in (2, 1, 0, 0)]
    refused = answers[3]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 57 <= int(refused.headers["retry-after"]) <= 63
    assert refused.headers["ratelimit"].endswith(f"t={refused.headers['retry-after']}")
    assert "ratelimit" not in unlimited.headers


async def test_payments_go_on_when_redis_dies_and_are_shared_again_when_it_is_back(own_redis: Redis) -> None:
    rate = Rate("money", 1_000, 1)
    async with replicas(rate, own_redis.url, own_redis.url) as clients:
        answered = set[int]()

        async def all_pay() -> None:
            answers = await asyncio.gather(*(pay(client) for client in clients for _ in range(5)))
            answered.update(answer.status_code for answer in answers)

        await all_pay()
        assert degraded() == 0
        own_redis.kill()

        async def tells(value: int) -> bool:
            await all_pay()
            return degraded() == value

        await eventually(lambda: tells(1))
        own_redis.start()
        await eventually(lambda: tells(0))
    assert answered == {202}


async def test_a_process_that_nobody_calls_tells_too_that_redis_is_away_and_back(own_redis: Redis) -> None:
    """At night an alert would not end before the next request."""
    budgets = RedisBudgets(own_redis.url, service=SERVICE, timeout_s=PATIENT_S, interval_s=0.05)
    limiter = RateLimiter({}, budgets, service=SERVICE)
    ((_, component),) = limiter.components
    running = asyncio.create_task(component.run())
    try:
        own_redis.kill()
        await eventually(lambda: degraded() == 1)
        own_redis.start()
        await eventually(lambda: degraded() == 0)
    finally:
        component.stop()
        await running
        await limiter.close()
    assert RateLimiter({}, LocalBudgets(), service=SERVICE).components == []


async def test_a_client_that_always_asks_gets_its_rate_and_never_more() -> None:
    """A whole hour in which two replicas are asked five times as often as they may be."""
    clock, rate = Hands(), Rate("write", 100, 10)
    budgets = LocalBudgets(clock)
    limiters = [RateLimiter({"write": rate}, budgets, service=SERVICE, clock=clock) for _ in range(2)]
    admitted: list[float] = []
    for second_fifth in range(5 * 3_600):
        for limiter in limiters * 5:
            try:
                await limiter.admit({}, "demo", "write")
                admitted.append(clock.now)
            except Problem:
                continue
        clock.now = 1_000 + (second_fifth + 1) / 5
    assert 0.95 * 36_000 <= len(admitted) <= 36_000 + rate.quota
    # The request after the last of a full quota is at least a window away from the first of it.
    for first, beyond in zip(admitted, admitted[rate.quota :], strict=False):
        assert beyond - first >= rate.window_s - 1e-6


async def test_what_a_lapsed_lease_has_not_spent_is_given_back() -> None:
    clock, rate = Hands(), Rate("write", 400, 100)
    budgets = LocalBudgets(clock)
    limiter = RateLimiter({"write": rate}, budgets, service=SERVICE, clock=clock)
    paid = 0
    for burst in (7, 9, 8, 11):
        for _ in range(burst):
            await limiter.admit({}, "demo", "write")
            paid += 1
        clock.now += rate.slot_ms / 1000
    await limiter.admit({}, "demo", "write")
    *earlier, _leased_now = budgets._taken["demo:write"].values()
    assert sum(earlier) == paid


@pytest.mark.parametrize("kind", ["local", "redis"])
async def test_budgets_count_alike(kind: str, fresh_redis_url: str) -> None:
    budgets: Budgets = (
        LocalBudgets()
        if kind == "local"
        else RedisBudgets(fresh_redis_url, service=f"{SERVICE}-alike", timeout_s=PATIENT_S)
    )
    rate = Rate("write", 100, 3_600)
    first = await budgets.take("a:write", rate, want=10)
    assert (first.granted, first.free) == (10, 90)
    assert 0 < first.lasts_s <= 3_600 / SLOTS
    assert 3_600 < first.frees_s <= 3_600 * (SLOTS + 1) / SLOTS
    second = await budgets.take("a:write", rate, want=80, unspent=4, slot=first.slot)
    # A quarter of what is free: the less there is, the less one process keeps from the others.
    assert (second.granted, second.free) == (23, 71)
    foreign_slot = await budgets.take("a:write", rate, want=1, unspent=50, slot=first.slot - 1)
    assert (foreign_slot.granted, foreign_slot.free) == (1, 70)
    for _ in range(70):
        last = await budgets.take("a:write", rate, want=1)
    assert (last.granted, last.free) == (1, 0)
    assert (await budgets.take("a:write", rate, want=1)).granted == 0
    assert (await budgets.take("b:write", rate, want=1)).granted == 1
    if isinstance(budgets, RedisBudgets):
        await budgets.close()


@pytest.mark.parametrize(
    ("method", "scopes", "kind"),
    [
        ("GET", {"payments:write"}, "read"),
        ("POST", {"payments:write"}, "money"),
        ("POST", {"withdrawals:write"}, "money"),
        ("PUT", {"rules:write"}, "write"),
    ],
)
def test_a_route_has_its_class(method: str, scopes: set[str], kind: str) -> None:
    assert class_of(method, scopes) == kind
