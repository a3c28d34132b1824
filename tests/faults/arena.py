"""Where faults happen: one stack that all belongs to us, with a proxy before each server of each service."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2
from florin.backing import RabbitMQ
from florin.ports import is_free
from florin.provision import AUDITOR, connect, url_for
from florin.services import SERVICES
from florin.stack import Stack
from testkit.proxy import Matches, Proxy, Trigger, Verdict
from testkit.stacks import Proxies
from testkit.waiting import eventually
from testkit.wire import Seen

from .journal import now
from .payer import Payer
from .watching import Tail

MOMENT_S = 20.0
ANSWER_S = 60.0


@dataclass(frozen=True)
class Pace:
    """How long things are held and how many are hit: little in a run of minutes, much in a long one.

    `stopped_s`: a process under SIGSTOP, a lock, a broker away; `moments`: how often in a row a moment is
    hit; `services`: of those that have a moment, how many are hit; `batches_per_s`: of the load, whose every
    payment is held in memory at the end; `calm_answers`: that many make a before and an after.
    """

    stopped_s: float = 4.0
    moments: int = 1
    services: int = 4
    batches_per_s: float = 2.0
    calm_answers: int = 40


@dataclass
class Arena:
    """What a fault is given. Everything it starts it ends; the load runs on beside it all the while.

    `seed`ed `chance` for whatever is chosen; `payer` makes payments of the fault's own, which are reconciled
    at the end like those of the load.
    """

    stack: Stack
    proxies: Mapping[str, Proxies]
    folder: Path
    chance: random.Random
    pace: Pace
    payer: Payer
    load_tail: Tail
    # Set by whoever runs faults: stops and starts the load.
    pause_load: Callable[[], Awaitable[None]]
    resume_load: Callable[[], Awaitable[None]]
    moments: list[float] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fired(self, times: int = 1) -> None:
        """The fault was seen to happen, just now."""
        self.moments.extend([now()] * times)

    def wrong(self, what: str) -> None:
        """Something that must not be was seen: the run fails, and its report says this."""
        self.wrongs.append(what)

    def note(self, what: str) -> None:
        """Something to be told in the report, which fails nothing."""
        self.notes.append(what)

    def some(self, services: Sequence[str]) -> list[str]:
        """As many of these services as the pace says, in random order."""
        return self.chance.sample(services, min(len(services), self.pace.services))

    async def hold(self) -> None:
        """Lets the fault last, as long as the pace says."""
        await asyncio.sleep(self.pace.stopped_s)

    # ---- processes -------------------------------------------------------------------------------------

    def pid(self, part: str) -> int:
        """The process of a service, or of `postgres` or `rabbitmq`."""
        daemons = self.stack.services.daemons
        pid = daemons[part].pid if part in daemons else self.stack.backing[part].pid
        assert pid is not None, f"{part} does not run"
        return pid

    def kill_now(self, service: str) -> None:
        """SIGKILL, from within a trigger: returns at once, and the process does nothing any more."""
        os.kill(self.pid(service), signal.SIGKILL)

    async def kill(self, part: str) -> None:
        """SIGKILL to a service, to `postgres` or to `rabbitmq`; returns when it is dead."""
        await asyncio.to_thread(self.stack.kill, part)
        if part in SERVICES:
            await self.gone(part)

    async def stop(self, part: str) -> None:
        """SIGTERM (to Postgres its fast shutdown); returns when it has ended."""
        await asyncio.to_thread(self.stack.stop, part)

    async def terminate(self, service: str) -> None:
        """SIGTERM to a service; returns when it has ended, having finished all that it had in hand."""
        log = self.stack.services.daemons[service].log_file
        before = log.stat().st_size
        await self.stop(service)
        await self.gone(service)
        with log.open("rb") as lines:
            lines.seek(before)
            last = lines.read().splitlines()[-1:]
        assert last, f"{service} ended without a word"
        said = json.loads(last[0])
        if (said.get("event"), said.get("clean"), said.get("status")) != ("stopped", True, 0):
            self.wrong(f"{service} did not end in good order: {said}")

    async def start(self, part: str) -> None:
        """Starts a part; returns when it is ready."""
        await asyncio.to_thread(self.stack.start, part)

    async def gone(self, service: str) -> None:
        """Returns when a service's process has ended and its ports are free again."""
        ports = self.stack.ports
        # A killed process counts as ended before the last of its threads has let go of its sockets.
        await eventually(
            lambda: (
                not self.stack.services.running(service)
                and is_free(ports.api(service))
                and is_free(ports.internal(service))
            ),
            timeout_s=MOMENT_S,
        )

    async def mend(self) -> None:
        """Starts whatever does not run: after a fault that failed half-way."""
        for part in ("postgres", "rabbitmq", *SERVICES):
            await self.start(part)
        for proxies in self.proxies.values():
            for proxy in (proxies.postgres, proxies.rabbitmq):
                proxy.delay_s, proxy.half_open = 0.0, False
                proxy.triggers.clear()

    # ---- moments ---------------------------------------------------------------------------------------

    def proxy(self, service: str, server: str) -> Proxy:
        """Between a service and `postgres` or `rabbitmq`."""
        proxies = self.proxies[service]
        return proxies.postgres if server == "postgres" else proxies.rabbitmq

    async def kill_at(self, service: str, server: str, matches: Matches) -> None:
        """SIGKILLs the service the moment a message that matches passes, before it goes on; counts each time,
        starts the service again. To be repeated as often as the pace says."""
        for _ in range(self.pace.moments):

            def strike(_seen: Seen) -> Verdict:
                self.kill_now(service)
                self.fired()
                return Verdict.CUT

            try:
                await self.at(service, server, matches, strike)
                await self.gone(service)
            finally:
                await self.start(service)

    async def at(self, service: str, server: str, matches: Matches, act: Callable[[Seen], Verdict]) -> Seen:
        """Has `act` called at the first message that matches, before it goes on; TimeoutError when none
        comes."""
        trigger: Trigger = self.proxy(service, server).arm(matches, act)
        async with trigger:
            return await trigger.wait(timeout_s=MOMENT_S)

    # ---- servers ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Postgres' superuser in Florin's database, directly (not through a proxy)."""
        surroundings = self.stack.surroundings
        connection = await connect(url_for(surroundings.database_admin_url, database=surroundings.database))
        try:
            yield connection
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=5)

    @asynccontextmanager
    async def auditor(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A reader of all schemas."""
        connection = await connect(self.stack.surroundings.role_url(AUDITOR))
        try:
            yield connection
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=5)

    @property
    def broker(self) -> RabbitMQ:
        """The broker's node."""
        broker = self.stack.backing["rabbitmq"]
        assert isinstance(broker, RabbitMQ), "own stacks run their own"
        return broker

    @asynccontextmanager
    async def management(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The broker's management API."""
        async with httpx2.AsyncClient(
            base_url=self.broker.management_url, trust_env=False, timeout=10
        ) as client:
            yield client

    async def florin(self, *words: str) -> str:
        """The command line, as a person would call it on this stack; returns what it printed."""
        environment = {
            **os.environ,
            "FLORIN_RUN_DIR": str(self.stack.run_dir),
            "FLORIN_PORT_BASE": str(self.stack.ports.base),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "florin", *words),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, f"florin {' '.join(words)}: {output.decode()}"
        return output.decode()

    # ---- the whole -------------------------------------------------------------------------------------

    async def answering(self, *, timeout_s: float = ANSWER_S) -> None:
        """Returns when a payment made now is settled: every service, the broker and Postgres work."""
        await self.payer.canary(timeout_s=timeout_s)

    @asynccontextmanager
    async def without_load(self) -> AsyncIterator[None]:
        """The load stands still during the block."""
        await self.pause_load()
        try:
            yield
        finally:
            await self.resume_load()
