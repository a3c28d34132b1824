"""Asking another process the same question again and again, for as long as this one runs."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import structlog

# Nothing that is asked for is large; a peer that does not answer within it is away.
ASK_TIMEOUT_S = 5.0

_log = structlog.stdlib.get_logger(__name__)


class Unusable(Exception):
    """The answer is not one that can be used; the text says why and quotes no secret."""


class Poller:
    """A component that calls `ask` every `every_s` seconds, at once when it is nudged, but never twice
    within `pause_s`. What `ask` raises for an outage or as `Unusable` is told once, and asked again."""

    def __init__(
        self, name: str, ask: Callable[[], Awaitable[None]], *, every_s: float, pause_s: float
    ) -> None:
        self._name = name
        self._ask = ask
        self._every_s = every_s
        self._pause_s = pause_s
        self._nudged = asyncio.Event()
        self._stopped = asyncio.Event()
        self._answered = asyncio.Event()
        # Set at the end of the next question to be put: one under way may have been put too early.
        self._next_over = asyncio.Event()
        self._failing = False

    async def answered(self) -> None:
        """Returns once there has been an answer, ever."""
        await self._answered.wait()

    @property
    def failing(self) -> bool:
        """Whether the last question found no usable answer."""
        return self._failing

    async def asked_anew(self, *, within_s: float) -> None:
        """Returns once a question that was put after this call is over, with or without an answer, or when
        the time is."""
        over = self._next_over
        self.nudge()
        await _wait_for(over, within_s)

    def nudge(self) -> None:
        """Asks for the answer soon: what is known does not suffice."""
        self._nudged.set()

    async def run(self) -> None:
        """Asks until stopped."""
        while not self._stopped.is_set():
            self._nudged.clear()
            over, self._next_over = self._next_over, asyncio.Event()
            await self._try()
            over.set()
            await _wait_for(self._stopped, self._pause_s)
            # Who has had no answer asks again soon: the other may only just be starting.
            if not self._stopped.is_set() and not self._failing:
                await _wait_for(self._nudged, self._every_s - self._pause_s)

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopped.set()
        self._nudged.set()
        self._next_over.set()

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await self._ask()
        except (httpx2.HTTPError, OSError, TimeoutError, Unusable) as error:
            if not self._failing:
                _log.warning("cannot learn", what=self._name, error=f"{type(error).__name__}: {error}"[:300])
            self._failing = True
        else:
            if self._failing:
                _log.info("learns again", what=self._name)
            self._failing = False
            self._answered.set()


async def _wait_for(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
