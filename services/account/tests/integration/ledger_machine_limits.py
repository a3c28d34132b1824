"""The machine's part about limits and time zones, and the world that it lives in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from account_service.domain.limits import LimitSet
from account_service.operations.change_time_zone import ChangeTimeZone, change_time_zone
from account_service.operations.read_limits import AccountLimitsView, read_limits
from account_service.operations.set_limits import SetAccountLimits, SetLimits, set_account_limits, set_limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from service_kit.audit import Origin
from service_kit.database import Database
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase, connect

from .ledger_model import Model

# Half a minute after a sequence begins it is midnight where b is.
ZONES = {"b": "Etc/GMT-12"}
BEFORE_MIDNIGHT = timedelta(seconds=30)
# What a figure of 0 to 9 stands for.
LIMITS = {
    "payment_min": 2,
    "payment_max": 12,
    "daily_count": 1,
    "daily_sum": 25,
    "monthly_count": 1,
    "monthly_sum": 30,
}


class World:
    """A database and a loop for all sequences."""

    def __init__(self, database: ServiceDatabase) -> None:
        self.runner = asyncio.Runner()
        self.database = Database(database.app_url, pool_size=2)
        self.onlooker: asyncpg.Connection[Any] = self.runner.run(connect(database.app_url))
        self.sequences = count(1)
        self.steps = 0

    def transact(self, work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        """Do it in a transaction of its own, and commit."""

        async def transaction() -> Any:
            async with self.database.transaction() as connection:
                return await work(connection)

        return self.runner.run(transaction())

    def close(self) -> None:
        self.runner.run(self.onlooker.close())
        self.runner.run(self.database.close())
        self.runner.close()


ORIGIN = Origin(client_id="machine", actor="client:machine")


class HeldToLimits(RuleBasedStateMachine):
    """Sets limits, and compares what is told of them with what the model adds up."""

    world: World
    client: str
    start: datetime
    clock: StillClock
    model: Model

    def live_in_zones(self) -> None:
        for name, zone in ZONES.items():
            move = ChangeTimeZone(
                client_id=self.client, account=name, time_zone=zone, reason="R", origin=ORIGIN
            )
            self.world.transact(partial(change_time_zone, command=move, clock=self.clock))

    def date_at(self, name: str, second: int) -> date:
        return (self.start + timedelta(seconds=second)).astimezone(ZoneInfo(ZONES.get(name, "UTC"))).date()

    @rule(
        name=st.sampled_from(["a", "b", "c", "all"]),
        figures=st.dictionaries(st.sampled_from(sorted(LIMITS)), st.integers(0, 9), max_size=3),
    )
    def set_limits(self, name: str, figures: dict[str, int]) -> None:
        self.uses_what_the_model_does()
        asked = {limit: LIMITS[limit] * figure for limit, figure in figures.items()}
        if asked.get("payment_min", 0) > asked.get("payment_max", 10**9):
            del asked["payment_min"]  # no client can ask for that
        facts: Any = {"client_id": self.client, "limits": LimitSet(**asked), "reason": "R", "origin": ORIGIN}
        if name == "all":
            command = SetLimits(currency="CZK", **facts)
            self.world.transact(partial(set_limits, command=command, clock=self.clock))
        else:
            own = SetAccountLimits(account=name, **facts)
            self.world.transact(partial(set_account_limits, command=own, clock=self.clock))
        self.model.limits[name] = asked

    def uses_what_the_model_does(self) -> None:
        views = self.world.transact(self._read_limits)
        for name, view in views.items():
            used = self.model.used(name)
            told = {one.limit.value: one.used for one in view.effective if one.used is not None}
            assert told == {limit: used[limit] for limit in told}
            limits = [self.model.limits.get(whose, {}) for whose in (name, "all")]
            assert {one.limit.value for one in view.effective} == {one for each in limits for one in each}

    async def _read_limits(self, connection: AsyncConnection) -> dict[str, AccountLimitsView]:
        return {
            name: await read_limits(connection, self.client, name, clock=self.clock)
            for name in self.model.accounts
        }
