"""A process from its first line to its last: start in order, run, drain in the opposite order, end with a
status.

`app.py` builds a `Process`; `__main__.py` hands the builder to `command_line`.
"""

import asyncio
import gc
import inspect
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import structlog

from service_kit.database import is_outage
from service_kit.health import HealthServer
from service_kit.settings import SettingsError
from service_kit.telemetry import shut_down_tracing

Role = Literal["all", "api", "worker"]
ROLES: tuple[Role, ...] = ("all", "api", "worker")
_RETRY_S = 1.0
_OBJECTS_PER_COLLECTION = 50_000

_log = structlog.stdlib.get_logger(__name__)


class Component(Protocol):
    """A part that works until it is told to stop; `run` returns when it has finished what it had begun."""

    async def run(self) -> None:
        """Works until `stop` was called and what was in hand is finished."""

    def stop(self) -> Awaitable[None] | None:
        """Asks `run` to finish; a plain or an async function."""


@dataclass
class Process:
    """What runs in one process.

    Components are started in the order they were added and stopped in the opposite one, each only when
    the one before has finished: add relay, consumer, group commit and HTTP server in this order, and the
    drain
    takes no more requests, finishes the batch, flushes the outbox, and only then closes the pool.
    """

    service: str
    health: HealthServer
    drain_timeout_s: float = 25.0
    start_timeout_s: float = 60.0
    settle_timeout_s: float = 10.0
    _starters: list[tuple[str, Callable[[], Awaitable[Any]]]] = field(default_factory=list)
    _components: list[tuple[str, Component]] = field(default_factory=list)
    _awaited: list[tuple[str, Callable[[], Awaitable[Any]]]] = field(default_factory=list)
    _closers: list[tuple[str, Callable[[], Awaitable[Any]]]] = field(default_factory=list)

    def before_start(self, name: str, check: Callable[[], Awaitable[Any]]) -> None:
        """Must succeed before anything runs; an outage is retried until the start timeout, a refusal is
        final."""
        self._starters.append((name, check))

    def add(self, name: str, component: Component) -> None:
        """A component to run."""
        self._components.append((name, component))

    def before_ready(self, name: str, condition: Callable[[], Awaitable[Any]]) -> None:
        """Waited for, once all runs, before the process says that it is ready; but not for ever, because it
        can do part of its work without."""
        self._awaited.append((name, condition))

    def at_end(self, name: str, close: Callable[[], Awaitable[Any]]) -> None:
        """Runs when every component has stopped; the last one added runs first."""
        self._closers.append((name, close))

    async def run(self) -> int:
        """Runs until SIGTERM, SIGINT or a component's failure; returns the exit status."""
        asked = _listen_for_signals()
        health = asyncio.create_task(self.health.run(), name="health")
        tasks: dict[str, asyncio.Task[None]] = {}
        status = 0
        try:
            if not await self._start(asked, health):
                return 0 if asked.is_set() else 1
            for name, component in self._components:
                tasks[name] = asyncio.create_task(component.run(), name=name)
            _collect_seldom()
            await self._settle(asked)
            self.health.readiness.set_ready()
            _log.info("started", components=list(tasks))
            status = await _until_asked_or_failed(asked, {**tasks, "health": health})
            return status
        finally:
            self.health.readiness.set_draining()
            clean = await self._drain(tasks)
            await self._close()
            await _finish(self.health.stop(), health)
            _log.info("stopped", clean=clean, status=status)

    async def _start(self, asked: asyncio.Event, health: asyncio.Task[None]) -> bool:
        deadline = asyncio.get_running_loop().time() + self.start_timeout_s
        for name, check in self._starters:
            while not await self._passes(name, check, deadline):
                if asked.is_set() or health.done() or asyncio.get_running_loop().time() > deadline:
                    return False
                await _wait(asked, _RETRY_S)
        if health.done():
            _log.critical("cannot start: no internal port", error=str(health.exception()))
        return not asked.is_set() and not health.done()

    async def _settle(self, asked: asyncio.Event) -> None:
        waiting = {asyncio.ensure_future(condition()): name for name, condition in self._awaited}
        ending = asyncio.create_task(asked.wait())
        try:
            async with asyncio.timeout(self.settle_timeout_s):
                for condition in waiting:
                    await asyncio.wait({condition, ending}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            missing = [name for condition, name in waiting.items() if not condition.done()]
            _log.warning("ready without", missing=missing, waited_s=self.settle_timeout_s)
        finally:
            for task in (*waiting, ending):
                task.cancel()
            await asyncio.gather(*waiting, ending, return_exceptions=True)

    async def _passes(self, name: str, check: Callable[[], Awaitable[Any]], deadline: float) -> bool:
        try:
            await check()
        except Exception as error:
            if not (is_outage(error) or isinstance(error, OSError | TimeoutError)):
                _log.critical("cannot start", step=name, error=f"{type(error).__name__}: {error}")
                raise StartRefused(name) from error
            left_s = round(deadline - asyncio.get_running_loop().time())
            _log.warning(
                "waiting to start", step=name, error=f"{type(error).__name__}: {error}", left_s=left_s
            )
            return False
        return True

    async def _drain(self, tasks: dict[str, asyncio.Task[None]]) -> bool:
        """Stops the components last first, within the drain timeout; the rest is cancelled. True when
        all ended."""
        clean = True
        components = dict(self._components)
        try:
            async with asyncio.timeout(self.drain_timeout_s):
                for name in reversed(tasks):
                    await _finish(components[name].stop(), tasks[name])
        except TimeoutError:
            late = [name for name, task in tasks.items() if not task.done()]
            _log.error("drain timed out", drain_timeout_s=self.drain_timeout_s, still_running=late)
            clean = False
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return clean

    async def _close(self) -> None:
        for name, close in reversed(self._closers):
            try:
                async with asyncio.timeout(5):
                    await close()
            except Exception as error:  # one that cannot close must not keep the others open
                _log.warning("cannot close", what=name, error=f"{type(error).__name__}: {error}")


class StartRefused(Exception):
    """A step of the start failed in a way that waiting will not mend; the log has said how."""


def command_line(
    *,
    build: Callable[[Role], Process | Awaitable[Process]],
    migrate: Callable[[], Awaitable[Any]],
    tasks: Mapping[str, Callable[[], Awaitable[Any]]] | None = None,
    arguments: Sequence[str] | None = None,
) -> int:
    """`python -m <name>_service all|api|worker|migrate`, and the words of the service's own tasks; returns
    the exit status: 0 well, 1 failed, 2 misused."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    once = {"migrate": migrate, **(tasks or {})}
    words = (*ROLES, *once)
    if len(given) != 1 or given[0] not in words:
        print(f"usage: python -m <name>_service {'|'.join(words)}", file=sys.stderr)
        return 2
    role = given[0]
    try:
        return _run_loop(_do(once[role]) if role in once else _serve(build, role))  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    except StartRefused:
        return 1
    except Exception as error:
        _log.critical("cannot start", error=f"{type(error).__name__}: {error}", exc_info=error)
        return 1
    finally:
        shut_down_tracing()


async def _serve(build: Callable[[Role], Process | Awaitable[Process]], role: Role) -> int:
    built = build(role)
    process = await built if inspect.isawaitable(built) else built
    return await process.run()


async def _do(task: Callable[[], Awaitable[Any]]) -> int:
    await task()
    return 0


def _run_loop(main: Any) -> int:
    if sys.platform == "win32":
        return int(asyncio.run(main))
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(runner.run(main))


def _collect_seldom() -> None:
    """Spare the hot path most of the cyclic collector's work.

    A batch makes tens of thousands of objects that reference counting frees on its own. By default they
    would set off a collection every 700, and with each the collector walks what the libraries have loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, 20, 50)


def _listen_for_signals() -> asyncio.Event:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if asked.is_set():
            _log.warning("asked twice: ending at once", signal=number.name)
            os._exit(128 + number)
        _log.info("draining", signal=number.name)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return asked


async def _until_asked_or_failed(asked: asyncio.Event, tasks: dict[str, asyncio.Task[None]]) -> int:
    waiting = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({waiting, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    failed = {name: task for name, task in tasks.items() if task.done()}
    for name, task in failed.items():
        error = None if task.cancelled() else task.exception()
        _log.critical("component ended", component=name, error=repr(error), exc_info=error)
    return 1 if failed else 0


async def _finish(stopping: Awaitable[None] | None, task: asyncio.Task[None]) -> None:
    if inspect.isawaitable(stopping):
        await stopping
    # Its failure has been logged, or will be by the one who gathers; here only its end counts.
    await asyncio.wait({task})


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
