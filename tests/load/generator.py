"""The load: a process of its own, as cheap as Python can be, for it shares two cores with what it loads.

`python -m tests.load.generator` reads a plan as one line of JSON, works, and writes what it saw as JSON.
No HTTP client, no task and no future a request: bytes go out, a parser in C reads what comes back.
"""

import asyncio
import gc
import heapq
import json
import resource
import sys
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import cast

import httptools
import uvloop
from florin.ports import HOST

from .figures import schedule
from .plan import Plan, requests

LATE_S = 60.0
MOST_CONNECTIONS = 1_000
REQUEST_TIMEOUT = 408


@dataclass
class Seen:
    """What the load saw. `latencies_ms` by request number, from when it was sent or should have been;
    `late_ms` is how far, at worst, the load itself was behind its schedule."""

    requests: int
    codes: dict[str, int]
    resent: int
    began_at: float
    ended_at: float
    cpu_s: float
    peak_rss_mb: float
    late_ms: float
    latencies_ms: list[float]


class Connection(asyncio.Protocol):
    """One kept connection with at most one request on its way."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self.request: tuple[int, bytes] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's classes.
        self.transport = cast("asyncio.Transport", transport)

    def send(self, number: int, request: bytes) -> None:
        """Sends one request."""
        self.request = (number, request)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        # Said to a connection on which nothing came for long, just before it is closed: no answer to a
        # request that may have gone out at that very moment, which `connection_lost` sends again.
        if self.request is None or status == REQUEST_TIMEOUT:
            return
        number, self.request = self.request[0], None
        self._load.answered(self, number, status)

    def connection_lost(self, _error: Exception | None) -> None:
        self._load.lost(self)


class Load:
    """Sends the plan's requests over kept connections and notes how long each took."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = requests(plan)
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self._begun = array("d")
        self._took = array("d")
        self._codes: Counter[int] = Counter()
        self._resent = 0
        self._in_flight = 0
        self._late_s = 0.0
        self._stop_at = float("inf")
        self._over = False
        self._done = asyncio.Event()

    async def run(self) -> Seen:
        """Returns when everything that was sent is answered."""
        await asyncio.gather(*(self._open() for _ in range(self._plan.connections)))
        gc.disable()
        cpu_before = _cpu_s()
        began_at, began = time.time(), time.perf_counter()
        self._stop_at = began + self._plan.seconds
        if self._plan.mode == "open":
            self._by_the_clock(began)
        else:
            for connection in list(self._idle):
                self._idle.remove(connection)
                self._next(connection)
        async with asyncio.timeout(self._plan.seconds + LATE_S):
            await self._done.wait()
        self._close()
        return Seen(
            requests=len(self._took),
            codes={str(code): count for code, count in self._codes.items()},
            resent=self._resent,
            began_at=began_at,
            ended_at=time.time(),
            cpu_s=_cpu_s() - cpu_before,
            peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            late_ms=self._late_s * 1000,
            latencies_ms=[round(took * 1000, 3) for took in self._took],
        )

    # ---- closed: the next when the last is answered ----------------------------------------------------

    def _next(self, connection: Connection) -> None:
        now = time.perf_counter()
        limit = self._plan.requests
        if now >= self._stop_at or (limit and len(self._begun) >= limit):
            self._over = True
            self._idle.append(connection)
            return
        number = self._begin(now)
        connection.send(number, next(self._requests))

    # ---- open: by the clock ----------------------------------------------------------------------------

    def _by_the_clock(self, began: float) -> None:
        due = [began + at for at in schedule(self._plan.rate, self._plan.seconds, seed=self._plan.seed)]
        heapq.heapify(due)
        offset = self._loop.time() - time.perf_counter()

        def tick() -> None:
            now = time.perf_counter()
            while due and due[0] <= now:
                at = heapq.heappop(due)
                self._late_s = max(self._late_s, now - at)
                self._send_or_queue(self._begin(at), next(self._requests))
            if due:
                self._loop.call_at(due[0] + offset, tick)
            else:
                self._over = True
                self._look_whether_done()

        tick()

    def _send_or_queue(self, number: int, request: bytes) -> None:
        if self._idle:
            self._idle.pop().send(number, request)
            return
        self._waiting.append((number, request))
        if len(self._connections) + len(self._opening) < MOST_CONNECTIONS:
            opening = asyncio.create_task(self._open())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    # ---- both ------------------------------------------------------------------------------------------

    def answered(self, connection: Connection, number: int, status: int) -> None:
        """An answer came."""
        self._took[number] = time.perf_counter() - self._begun[number]
        self._codes[status] += 1
        self._in_flight -= 1
        if self._waiting:
            connection.send(*self._waiting.popleft())
        elif self._plan.mode == "closed":
            self._next(connection)
        else:
            self._idle.append(connection)
        self._look_whether_done()

    def lost(self, connection: Connection) -> None:
        """The service closed the connection: what was on its way is sent again, under its key."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.request is not None:
            self._resent += 1
            self._send_or_queue(*connection.request)

    def _begin(self, at: float) -> int:
        self._begun.append(at)
        self._took.append(0.0)
        self._in_flight += 1
        return len(self._begun) - 1

    def _look_whether_done(self) -> None:
        if self._over and not self._in_flight:
            self._done.set()

    def _close(self) -> None:
        for opening in self._opening:
            opening.cancel()
        for connection in self._connections:
            connection.transport.close()

    async def _open(self) -> None:
        _, connection = await self._loop.create_connection(lambda: Connection(self), HOST, self._plan.port)
        self._connections.add(connection)
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main() -> None:
    """Reads the plan, works, tells."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    json.dump(asdict(await Load(plan).run()), sys.stdout)


if __name__ == "__main__":
    uvloop.run(main())
