"""Over real HTTP: a service that is away costs a few callers their wait, and then nobody until it is back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from service_kit.circuit_breaker import FAILURES_TO_OPEN, CircuitBreaker
from testkit.waiting import eventually
from transaction_service.outbound.peers import NoAnswer, PeerAddresses, PeerAnswer, Peers

ANSWER = {"outcome": "completed"}
# Longer than any test: who waits for it has been refused nothing.
LONG_S = 60.0


@dataclass
class Peer:
    """A service on a socket; `says` is its next answers' status and body, or None for silence."""

    says: tuple[int, bytes] | None = (200, b'{"outcome":"completed"}')
    asked: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """Listen no more, and drop every connection."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len"))
                await reader.readexactly(int(length.partition(b":")[2]))
                self.asked += 1
                if self.says is None:
                    await reader.read()
                    return
                status, body = self.says
                writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()


@dataclass
class Asking:
    """Two peers, what asks them, and a clock for its breakers that is moved by hand."""

    account: Peer
    fraud: Peer
    peers: Peers
    at_s: list[float]

    async def ask(self) -> tuple[PeerAnswer, PeerAnswer]:
        return await self.peers.ask(account={"amount_minor": 1}, fraud={"amount_minor": 1})


@pytest.fixture
async def asking(request: pytest.FixtureRequest) -> AsyncIterator[Asking]:
    account, fraud = Peer(), Peer()
    await account.start()
    await fraud.start()
    at_s = [0.0]
    peers = Peers(
        PeerAddresses(f"http://127.0.0.1:{account.port}", f"http://127.0.0.1:{fraud.port}", "flk_service"),
        deadline_s=getattr(request, "param", LONG_S),
        breaker=lambda peer: CircuitBreaker(peer, monotonic=lambda: at_s[0], draw=lambda: 0.0),
    )
    yield Asking(account, fraud, peers, at_s)
    await peers.close()
    await account.die()
    await fraud.die()


async def test_a_service_that_died_is_not_asked_and_is_again_once_it_is_back(asking: Asking) -> None:
    assert await asking.ask() == (ANSWER, ANSWER)
    await asking.account.die()
    for _ in range(FAILURES_TO_OPEN):
        assert await asking.ask() == (NoAnswer("unreachable"), ANSWER)
    assert await asking.ask() == (NoAnswer("circuit_open"), ANSWER)

    await asking.account.start()
    assert await asking.ask() == (NoAnswer("circuit_open"), ANSWER), "it was tried before its time"
    assert asking.account.asked == 1
    asking.at_s[0] += 5
    assert await asking.ask() == (ANSWER, ANSWER)
    assert await asking.ask() == (ANSWER, ANSWER)


@pytest.mark.parametrize("asking", [0.2], indirect=True)
async def test_a_service_that_hangs_is_waited_for_a_few_times_only(asking: Asking) -> None:
    asking.account.says = None
    for _ in range(FAILURES_TO_OPEN):
        assert (await asking.ask())[0] == NoAnswer("timeout")
    for _ in range(20):
        assert (await asking.ask())[0] == NoAnswer("circuit_open")
    assert asking.account.asked == FAILURES_TO_OPEN


@pytest.mark.parametrize("asking", [0.2], indirect=True)
async def test_one_caller_tries_it_while_the_others_are_answered_at_once(asking: Asking) -> None:
    """Twenty ask at the moment in which it may be tried: one of them waits."""
    asking.account.says = None
    for _ in range(FAILURES_TO_OPEN):
        await asking.ask()
    asking.at_s[0] += 5
    answers = await asyncio.gather(*(asking.ask() for _ in range(20)))
    reasons = [account.reason for account, _ in answers if isinstance(account, NoAnswer)]
    assert sorted(reasons) == ["circuit_open"] * 19 + ["timeout"]
    assert asking.account.asked == FAILURES_TO_OPEN + 1


async def test_a_caller_that_leaves_does_not_keep_the_circuit_half_open(asking: Asking) -> None:
    await asking.account.die()
    for _ in range(FAILURES_TO_OPEN):
        await asking.ask()
    await asking.account.start()
    asking.account.says = None
    asking.at_s[0] += 5
    trial = asyncio.create_task(asking.ask())
    await eventually(lambda: asking.account.asked)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    asking.account.says = (200, b'{"outcome":"completed"}')
    assert await asking.ask() == (ANSWER, ANSWER)


@pytest.mark.parametrize(
    ("says", "reason", "opens"),
    [
        ((503, b"{}"), "status_503", True),
        ((200, b"<html>"), "malformed_answer", True),
        ((200, b"[]"), "malformed_answer", True),
        ((401, b"{}"), "status_401", False),
        ((429, b"{}"), "status_429", False),
    ],
)
async def test_a_refusal_is_an_answer_and_nonsense_is_none(
    asking: Asking, says: tuple[int, bytes], reason: str, opens: bool
) -> None:
    """A key that is not good says so again and again: that is no outage, and it is told as what it is."""
    asking.account.says = says
    for _ in range(FAILURES_TO_OPEN):
        assert await asking.ask() == (NoAnswer(reason), ANSWER)
    assert await asking.ask() == (NoAnswer("circuit_open" if opens else reason), ANSWER)
