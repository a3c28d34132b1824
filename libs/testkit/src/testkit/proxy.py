"""The fault proxy: stands between a process and its server, makes trouble, and knows when to.

Everything happens in one event loop, in the callback that received the bytes, so that whoever is told of a
message is told before it goes on: a process killed there has sent it and its server has not seen it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self, cast

from testkit.wire import AmqpWire, PostgresWire, Seen, Wire

HOST = "127.0.0.1"


class Verdict(Enum):
    """What becomes of the message that set off a trigger: it goes on, or its connection is cut before it."""

    PASS = auto()
    CUT = auto()


Matches = Callable[[Seen], bool]
Act = Callable[[Seen], Verdict]


def let_pass(_seen: Seen) -> Verdict:
    """Only looks on."""
    return Verdict.PASS


def cut_connection(_seen: Seen) -> Verdict:
    """The message does not go on, and both sides lose their connection."""
    return Verdict.CUT


class Trigger:
    """Acts on the first message that matches; `async with` disarms it at the end of the block."""

    def __init__(self, proxy: "Proxy", matches: Matches, act: Act) -> None:
        self._proxy = proxy
        self._matches = matches
        self._act = act
        self._done = asyncio.Event()
        self.seen: Seen | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disarm()

    async def wait(self, *, timeout_s: float) -> Seen:
        """The message it acted on; raises TimeoutError when none came."""
        async with asyncio.timeout(timeout_s):
            await self._done.wait()
        assert self.seen is not None, "it is kept before the event is set"
        return self.seen

    def disarm(self) -> None:
        """It will not act any more."""
        with contextlib.suppress(ValueError):
            self._proxy.triggers.remove(self)

    def judge(self, seen: Seen) -> Verdict | None:
        """For the proxy: None when the message is not the one."""
        if not self._matches(seen):
            return None
        self.disarm()
        self.seen = seen
        verdict = self._act(seen)
        self._done.set()
        return verdict


class Proxy:
    """Listens on a port of its own and passes everything on to the server's, until told otherwise.

    `delay_s` holds back all bytes, each way, for so long. `half_open` swallows them: connections stand and
    new ones are accepted, and nothing comes back; one that lost bytes stays dead when it is over. Both act on
    open connections too and may change at any time.
    """

    def __init__(self, wire: type[PostgresWire] | type[AmqpWire], port: int) -> None:
        """`port` is the server's."""
        self._wire = wire
        self._server_port = port
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self.port = 0
        self.triggers: list[Trigger] = []
        self.delay_s = 0.0
        self.half_open = False
        self.swallowed = 0
        self.delayed = 0

    async def open(self) -> None:
        """Listens from now on; `port` says where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self, self._wire()).client, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Ends everything."""
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def arm(self, matches: Matches, act: Act = let_pass) -> Trigger:
        """`act` is called once, with the first message for which `matches`, before that goes on."""
        trigger = Trigger(self, matches, act)
        self.triggers.append(trigger)
        return trigger

    def cut(self) -> int:
        """Resets every open connection on both sides; how many there were."""
        links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def judge(self, seen: Seen) -> Verdict:
        """What becomes of a message: the first trigger that matches decides."""
        for trigger in list(self.triggers):
            verdict = trigger.judge(seen)
            if verdict is not None:
                return verdict
        return Verdict.PASS

    # For links: where to, and who there is.
    async def connect(self, protocol: asyncio.Protocol) -> None:
        """A connection to the server for one link."""
        await asyncio.get_running_loop().create_connection(lambda: protocol, HOST, self._server_port)

    def add(self, link: "_Link") -> None:
        self._links.add(link)

    def discard(self, link: "_Link") -> None:
        self._links.discard(link)


class _Link:
    """One connection of a client, with the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, wire: Wire) -> None:
        self.proxy = proxy
        self.client = _Side(self, wire.to_server)
        self.server = _Side(self, wire.to_client)
        self.client.other, self.server.other = self.server, self.client
        self._connecting: asyncio.Task[None] | None = None
        # Once bytes were swallowed, what follows makes no sense any more.
        self.dead = False

    def opened_by_client(self) -> None:
        self.proxy.add(self)
        self._connecting = asyncio.create_task(self._connect())

    def cut(self) -> None:
        self.proxy.discard(self)
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.abort()

    async def _connect(self) -> None:
        try:
            await self.proxy.connect(self.server)
        except OSError:
            # As a server that is away refuses: the client's connection ends at once.
            self.cut()


class _Side(asyncio.Protocol):
    """Receives from one end and writes to the other."""

    other: "_Side"

    def __init__(self, link: _Link, scan: Callable[[bytes], tuple[int, list[tuple[int, Seen]]]]) -> None:
        self._link = link
        self._scan = scan
        self.transport: asyncio.Transport | None = None
        self._rest = b""
        self._waiting: deque[tuple[float, bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # By its behaviour: uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        if self is self._link.client:
            self._link.opened_by_client()
        elif self._link.client.transport is None or self._link.client.transport.is_closing():
            self.transport.abort()
        else:
            self._link.client.flush()

    def data_received(self, data: bytes) -> None:
        self._link.dead |= self._link.proxy.half_open
        if self._link.dead:
            self._link.proxy.swallowed += len(data)
            return
        data = self._rest + data if self._rest else data
        whole, found = self._scan(data)
        for _, seen in found:
            # Messages before it in the same bytes stay back too: they belong to the same exchange.
            if self._link.proxy.triggers and self._link.proxy.judge(seen) is Verdict.CUT:
                self._link.cut()
                return
        self._rest = data[whole:]
        if whole:
            self._pass_on(data[:whole] if self._rest else data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._link.proxy.discard(self._link)
        other = self.other.transport
        if other is not None and not self._waiting:
            other.close()

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def _pass_on(self, data: bytes) -> None:
        delay_s = self._link.proxy.delay_s
        if not delay_s and not self._waiting and self.other.transport is not None:
            self.other.transport.write(data)
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + delay_s, data))
        if delay_s:
            self._link.proxy.delayed += len(data)
        loop.call_later(delay_s, self.flush)

    def flush(self) -> None:
        """Write whatever has waited long enough; the server's connection may just have come to be."""
        now = asyncio.get_running_loop().time()
        while self._waiting and self.other.transport is not None and self._waiting[0][0] <= now + 0.001:
            self.other.transport.write(self._waiting.popleft()[1])
