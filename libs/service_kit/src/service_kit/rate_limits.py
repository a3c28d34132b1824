"""How often a client may ask, by the class of the route: read, write or money.

A process does not ask for each request. It takes a *lease*, some of the shared budget at once, spends it from
memory, and gives back what is left when the lease's slot ends. The more a client asks the more is taken, at
most a fortieth of the quota, and ever less as the budget nears its end: so replicas share a quota exactly,
and a busy client costs a round trip to Redis in dozens of requests.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from service_kit.problems import Problem
from service_kit.rate_budgets import REDIS_TIMEOUT_S, Budgets, Grant, LocalBudgets, Rate, RedisBudgets
from service_kit.telemetry import counter

RouteClass = Literal["read", "write", "money"]
Header = tuple[bytes, bytes]
# Where the headers of a limited client's answer lie until the boundary sends them.
HEADERS = "florin.rate_limit"
MOVES_MONEY = frozenset({"payments:write", "withdrawals:write", "settlement:write", "accounts:adjust"})
UNLIMITED = "unlimited"
# Generous: they stop a client that has gone wild, not one that is busy.
DEFAULTS: Mapping[RouteClass, str] = {"read": "20000/10s", "write": "5000/10s", "money": "50000/10s"}
_LARGEST_LEASE = 40
_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})s")

_LIMITED = counter("rate_limited", "Requests refused for their number.", ("service", "route_class"))


def parse_rate(name: str, text: str) -> Rate | None:
    """The rate of `1000/10s`, None for `unlimited`; raises `ValueError` for anything else."""
    if text == UNLIMITED:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"must read like 1000/10s (requests, seconds), or {UNLIMITED}")
    return Rate(name, int(match[1]), int(match[2]))


def class_of(method: str, scopes: Collection[str]) -> RouteClass:
    """The class of a route that is called by `method` and requires `scopes`."""
    if method in ("GET", "HEAD"):
        return "read"
    return "write" if MOVES_MONEY.isdisjoint(scopes) else "money"


class _Lease:
    """What this process may still spend for one client in one class."""

    __slots__ = ("free", "frees_at", "left", "lock", "refused_until", "slot", "taken", "until")

    def __init__(self) -> None:
        self.left = self.taken = self.slot = self.free = 0
        self.until = self.refused_until = self.frees_at = 0.0
        self.lock = asyncio.Lock()

    def renew(self, grant: Grant, now: float) -> None:
        self.left = self.taken = grant.granted
        self.slot, self.free = grant.slot, grant.free
        self.until, self.frees_at = now + grant.lasts_s, now + grant.frees_s
        # Others may give back before the quota returns, so it is asked for again in the next slot.
        self.refused_until = 0.0 if grant.granted else now + min(grant.lasts_s, grant.frees_s)


class RateLimiter:
    """Admits requests of known clients at the rates given; a class without one is not limited."""

    def __init__(
        self,
        rates: Mapping[RouteClass, Rate],
        budgets: Budgets | None = None,
        *,
        service: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = rates
        self._budgets = budgets or LocalBudgets(clock)
        self._service = service
        self._clock = clock
        self._leases: dict[tuple[str, RouteClass], _Lease] = {}
        # Shown as 0 before the first, so that an increase is seen.
        for kind in DEFAULTS:
            _LIMITED.labels(service, kind)
        self._policies = {
            kind: (b"ratelimit-policy", f'"{kind}";q={rate.quota};w={rate.window_s}'.encode())
            for kind, rate in rates.items()
        }

    @classmethod
    def of(
        cls,
        rates: Mapping[RouteClass, Rate],
        redis_url: str | None,
        *,
        service: str,
        redis_timeout_s: float = REDIS_TIMEOUT_S,
    ) -> "RateLimiter":
        """One that shares its budgets by Redis when there is an address of it."""
        shared = RedisBudgets(redis_url, service=service, timeout_s=redis_timeout_s) if redis_url else None
        return cls(rates, shared, service=service)

    async def admit(self, scope: Any, client: str, kind: RouteClass) -> None:
        """Counts a request and leaves the headers that tell of it in `scope`; raises the 429 `Problem`."""
        rate = self._rates.get(kind)
        if rate is None:
            return
        lease = self._leases.get((client, kind))
        if lease is None:
            lease = self._leases[client, kind] = _Lease()
        now = self._clock()
        if not _spend(lease, now):
            now = await self._spend_anew(lease, client, rate)
        waits_s = max(1, math.ceil(lease.frees_at - now))
        told = b'"%b";r=%d;t=%d' % (kind.encode(), lease.left + lease.free, waits_s)
        scope[HEADERS] = (self._policies[kind], (b"ratelimit", told))
        if lease.refused_until > now:
            _LIMITED.labels(self._service, kind).inc()
            raise _too_many(rate, waits_s)

    @property
    def components(self) -> Sequence[tuple[str, RedisBudgets]]:
        """What has to run beside the requests: where budgets are shared, the look at what shares them."""
        return [("shared rate limits", self._budgets)] if isinstance(self._budgets, RedisBudgets) else []

    async def close(self) -> None:
        """Closes what the budgets hold open."""
        if isinstance(self._budgets, RedisBudgets):
            await self._budgets.close()

    async def _spend_anew(self, lease: _Lease, client: str, rate: Rate) -> float:
        """Spends from a new lease, or finds that there is none to be had; returns the instant of it."""
        async with lease.lock:
            while not _spend(lease, now := self._clock()) and lease.refused_until <= now:
                want = min(max(1, 2 * (lease.taken - lease.left)), max(1, rate.quota // _LARGEST_LEASE))
                grant = await self._budgets.take(
                    f"{client}:{rate.name}", rate, want=want, unspent=lease.left, slot=lease.slot
                )
                lease.renew(grant, self._clock())
        return now


def _spend(lease: _Lease, now: float) -> bool:
    if lease.left > 0 and now < lease.until:
        lease.left -= 1
        return True
    return False


def _too_many(rate: Rate, waits_s: int) -> Problem:
    return Problem(
        429,
        "rate_limited",
        "Too many requests",
        f"At most {rate.quota} requests of the class {rate.name} in {rate.window_s} s. Nothing was done with "
        "this one; retry it later.",
        headers={"retry-after": str(waits_s)},
    )
