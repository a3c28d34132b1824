"""A process starts when what it needs is there, drains when asked, and says by its status how it ended."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from testkit.waiting import eventually

SCRIPT = Path(__file__).with_name("sample_process.py")


# A process takes a second to begin, and many on a machine that is doing other things as well.
PATIENCE_S = 60


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    held: bool = await eventually(check, timeout_s=PATIENCE_S)
    assert held


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Running:
    child: asyncio.subprocess.Process
    port: int
    internal_port: int

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.internal_port}{path}")

    async def is_ready(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return (await self.get("/readyz")).status_code == 200
        return False

    async def say(self, word: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{word}\n".encode())
        await self.child.stdin.drain()

    async def end(
        self, number: signal.Signals | None = None
    ) -> tuple[int, list[str], list[dict[str, object]]]:
        """The status, what the parts wrote down, and the log lines, once the process has ended."""
        if number is not None:
            self.child.send_signal(number)
        out, err = await asyncio.wait_for(self.child.communicate(), PATIENCE_S)
        assert self.child.returncode is not None
        return (
            self.child.returncode,
            err.decode().splitlines(),
            [json.loads(line) for line in out.splitlines()],
        )


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    children = []

    async def begin(mode: str, word: str = "all", *more: str) -> Running:
        port, internal_port = free_port(), free_port()
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SCRIPT),
            str(port),
            str(internal_port),
            mode,
            word,
            *more,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        children.append(child)
        return Running(child, port, internal_port)

    yield begin
    for child in children:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_asked_to_end_it_answers_what_it_has_begun_and_stops_in_order(start: Start) -> None:
    process = await start("good")
    await until(process.is_ready)
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{process.port}/"))
        assert process.child.stderr is not None
        told = [await process.child.stderr.readline() for _ in range(3)]
        assert told[-1] == b"request begun\n"
        process.child.send_signal(signal.SIGTERM)
        await until(lambda: not_ready(process))
        assert (await process.get("/livez")).status_code == 200
        await process.say("answer")
        assert (await request).text == "done"
    status, words, lines = await process.end()
    assert status == 0
    assert words == [
        "consumer stops",
        "consumer finished",
        "relay stops",
        "relay finished",
        "database closed",
    ]
    assert lines[-1]["event"] == "stopped"
    assert lines[-1]["clean"] is True


async def not_ready(process: Running) -> bool:
    answer = await process.get("/readyz")
    return answer.status_code == 503 and answer.json()["status"] == "draining"


async def test_a_part_that_breaks_ends_the_process_with_status_1_and_drains_the_rest(start: Start) -> None:
    status, words, lines = await (await start("crash")).end()
    assert status == 1
    assert "consumer finished" in words
    assert words[-1] == "database closed"
    assert any(line.get("component") == "relay" and line["level"] == "critical" for line in lines)


async def test_a_part_that_does_not_finish_is_cut_off_at_the_drain_timeout(start: Start) -> None:
    process = await start("stuck")
    await until(process.is_ready)
    status, words, lines = await process.end(signal.SIGINT)
    assert status == 0
    assert "consumer finished" not in words
    assert words[-1] == "database closed"
    assert any(line.get("still_running") == ["relay", "consumer"] for line in lines)


async def test_asked_twice_it_ends_at_once(start: Start) -> None:
    process = await start("stuck")
    await until(process.is_ready)
    process.child.send_signal(signal.SIGTERM)
    await until(lambda: not_ready(process))
    status, words, _ = await process.end(signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert "database closed" not in words


async def test_an_outage_at_the_start_is_waited_out(start: Start) -> None:
    process = await start("waits", "api")
    await until(process.is_ready)
    status, words, lines = await process.end(signal.SIGTERM)
    assert status == 0
    assert "consumer runs" not in words
    assert any(line["event"] == "waiting to start" for line in lines)


async def test_it_is_not_ready_before_it_has_learnt_what_it_waits_for(start: Start) -> None:
    process = await start("learns")
    assert process.child.stderr is not None
    # Both parts run already: work that needs no teacher goes on.
    assert {await process.child.stderr.readline() for _ in range(2)} == {b"relay runs\n", b"consumer runs\n"}
    assert (await process.get("/readyz")).json()["status"] == "starting"
    await process.say("told")
    await until(process.is_ready)
    status, words, _ = await process.end(signal.SIGTERM)
    assert status == 0
    assert words[0] == "told"


async def test_a_teacher_who_is_away_does_not_keep_it_from_being_ready(start: Start) -> None:
    process = await start("never learns")
    await until(process.is_ready)
    status, _, lines = await process.end(signal.SIGTERM)
    assert status == 0
    assert any(line["event"] == "ready without" and line["missing"] == ["teacher"] for line in lines)


async def test_asked_to_end_it_no_longer_waits_to_learn(start: Start) -> None:
    process = await start("learns")
    assert process.child.stderr is not None
    assert await process.child.stderr.readline()
    status, _, lines = await process.end(signal.SIGTERM)
    assert status == 0
    assert lines[-1]["clean"] is True


@pytest.mark.parametrize("mode", ["refused", "never up"])
async def test_what_waiting_does_not_mend_ends_the_start(start: Start, mode: str) -> None:
    status, words, _ = await (await start(mode)).end()
    assert status == 1
    assert words == ["database closed"]


async def test_a_taken_port_is_a_clear_line_and_status_1(start: Start) -> None:
    first = await start("good")
    await until(first.is_ready)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        second = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SCRIPT),
            str(first.port),
            str(other.getsockname()[1]),
            "good",
            "all",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(second.communicate(), PATIENCE_S)
    assert second.returncode == 1
    assert b"cannot listen on 127.0.0.1" in out
    assert (await first.end(signal.SIGTERM))[0] == 0


@pytest.mark.parametrize("words", [("sing",), ("all", "api")])
async def test_a_misused_command_line_explains_itself(start: Start, words: tuple[str, ...]) -> None:
    status, told, _ = await (await start("good", *words)).end()
    assert (status, told) == (2, ["usage: python -m <name>_service all|api|worker|migrate"])


async def test_a_missing_setting_is_a_line_and_no_traceback(start: Start) -> None:
    status, told, _ = await (await start("misconfigured")).end()
    assert (status, told) == (2, ["cannot start: FLORIN_DATABASE_URL: is not set"])


async def test_migrate_runs_and_ends(start: Start) -> None:
    status, told, _ = await (await start("good", "migrate")).end()
    assert (status, told) == (0, ["migrated"])
