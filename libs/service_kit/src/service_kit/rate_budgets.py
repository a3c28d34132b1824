"""How many requests are left of a quota, counted in Redis for all replicas or in one process for itself.

A window is cut into `SLOTS` slots and each counts what was taken in it. Taken is what the slots of the last
window hold, the one that the window's beginning cuts through among them: so no span as long as the window
ever sees more than the quota, and a client that always asks gets at most a twentieth less.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service_kit.measuring import INTERVAL_S, Measuring
from service_kit.telemetry import gauge

SLOTS = 20
# A request may wait this long for the shared count before its process counts for itself.
REDIS_TIMEOUT_S = 0.25
# How long it goes on so before it asks again.
REDIS_PAUSE_S = 1.0

_DEGRADED = gauge(
    "rate_limiter_degraded",
    "1 while Redis is away and each process counts requests for itself.",
    ("service",),
)
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `quota` requests in any `window_s` seconds; `name` is what the client reads."""

    name: str
    quota: int
    window_s: int

    @property
    def slot_ms(self) -> int:
        return self.window_s * 1000 // SLOTS


@dataclass(frozen=True, slots=True)
class Grant:
    """What was taken, and what is left: `lasts_s` until the slot's end, `frees_s` until taken ones return."""

    granted: int
    free: int
    slot: int
    lasts_s: float
    frees_s: float


class Budgets(Protocol):
    """Who counts."""

    async def take(self, key: str, rate: Rate, *, want: int, unspent: int = 0, slot: int = 0) -> Grant:
        """Takes up to `want`, fewer the less is free, and gives back what `unspent` is left of `slot`."""
        ...


class LocalBudgets:
    """Counts in this process. Its keys are known clients, so they are few."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, dict[int, int]] = {}

    async def take(self, key: str, rate: Rate, *, want: int, unspent: int = 0, slot: int = 0) -> Grant:
        now_ms = int(self._clock() * 1000)
        current = now_ms // rate.slot_ms
        taken = self._taken.get(key, {})
        if unspent and slot in taken:
            taken[slot] -= unspent
        taken = {number: count for number, count in taken.items() if number >= current - SLOTS and count > 0}
        self._taken[key] = taken
        free = max(0, rate.quota - sum(taken.values()))
        granted = min(want, free, max(1, free // 4))
        if granted:
            taken[current] = taken.get(current, 0) + granted
        leaves_ms = (min(taken, default=current) + SLOTS + 1) * rate.slot_ms
        lasts_ms = (current + 1) * rate.slot_ms - now_ms
        return Grant(granted, free - granted, current, lasts_ms / 1000, (leaves_ms - now_ms) / 1000)


# The same, by the server's clock: replicas need not agree on the time.
_TAKE = f"""
local quota, slot_ms, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local unspent = tonumber(ARGV[4])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local current = math.floor(now_ms / slot_ms)
if unspent > 0 and redis.call('HEXISTS', KEYS[1], ARGV[5]) == 1 then
  redis.call('HINCRBY', KEYS[1], ARGV[5], -unspent)
end
local used, first = 0, current
local slots = redis.call('HGETALL', KEYS[1])
for i = 1, #slots, 2 do
  local number, count = tonumber(slots[i]), tonumber(slots[i + 1])
  if number < current - {SLOTS} or count <= 0 then
    redis.call('HDEL', KEYS[1], slots[i])
  else
    used = used + count
    first = math.min(first, number)
  end
end
local free = math.max(0, quota - used)
local granted = math.min(want, free, math.max(1, math.floor(free / 4)))
if granted > 0 then
  redis.call('HINCRBY', KEYS[1], string.format('%d', current), granted)
  redis.call('PEXPIRE', KEYS[1], ({SLOTS} + 2) * slot_ms)
end
return {{granted, free - granted, current, (current + 1) * slot_ms - now_ms,
  (first + {SLOTS} + 1) * slot_ms - now_ms}}
"""


class RedisBudgets(Measuring):
    """Counts in Redis for all replicas; while that is away, in this process, and a metric says so.

    As a component it asks by itself whether Redis is there: where nobody calls, no request would notice.
    """

    def __init__(
        self,
        url: str,
        *,
        service: str,
        timeout_s: float = REDIS_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        interval_s: float = INTERVAL_S,
    ) -> None:
        super().__init__("redis", interval_s=interval_s)
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # Its pause is ours; within a request nothing is tried twice.
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._redis.register_script(_TAKE)
        self._prefix = f"florin:rate:{service}:"
        self._alone = LocalBudgets(clock)
        self._timeout_s = timeout_s
        self._clock = clock
        self._away_until = 0.0
        self._degraded = _DEGRADED.labels(service)
        self._degraded.set(0)
        self._is_degraded = False

    async def take(self, key: str, rate: Rate, *, want: int, unspent: int = 0, slot: int = 0) -> Grant:
        if self._clock() >= self._away_until:
            arguments = (rate.quota, rate.slot_ms, want, unspent, slot)
            try:
                async with asyncio.timeout(self._timeout_s):
                    found = await self._script(keys=[f"{self._prefix}{key}:{rate.window_s}"], args=arguments)
            except (RedisError, OSError, TimeoutError) as error:
                self._tell_away(error)
            else:
                self._tell_back()
                granted, free, current, lasts_ms, frees_ms = (int(number) for number in found)
                return Grant(granted, free, current, lasts_ms / 1000, frees_ms / 1000)
        return await self._alone.take(key, rate, want=want, unspent=unspent, slot=slot)

    async def measure(self) -> None:
        """Asks once, and lets the next request ask again as soon as there is an answer."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            self._tell_away(error)
        else:
            self._away_until = 0.0
            self._tell_back()

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    def _tell_away(self, error: Exception) -> None:
        self._away_until = self._clock() + REDIS_PAUSE_S
        if not self._is_degraded:
            self._is_degraded = True
            self._degraded.set(1)
            _log.warning("redis is away: requests are counted by each process", error=type(error).__name__)

    def _tell_back(self) -> None:
        if self._is_degraded:
            self._is_degraded = False
            self._degraded.set(0)
            _log.info("redis is back: requests are counted for all replicas")
