"""A process as services build them, with parts that tell what happens to them. Run by test_lifecycle."""

import asyncio
import sys
from typing import Any

from service_kit.database import DatabaseUnavailable
from service_kit.health import HealthServer
from service_kit.http import HttpServer
from service_kit.lifecycle import Process, Role, command_line
from service_kit.settings import SettingsError
from service_kit.telemetry import configure_logging
from starlette.types import Receive, Scope, Send

PORT, INTERNAL_PORT, MODE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def tell(word: str) -> None:
    print(word, file=sys.stderr, flush=True)


class Part:
    """Works until stopped, and takes a moment to finish."""

    def __init__(self, name: str, *, finish_s: float = 0.05) -> None:
        self.name = name
        self.finish_s = finish_s
        self.asked = asyncio.Event()

    async def run(self) -> None:
        tell(f"{self.name} runs")
        if MODE == "crash" and self.name == "relay":
            await asyncio.sleep(0.3)
            raise RuntimeError("relay broke")
        await self.asked.wait()
        await asyncio.sleep(self.finish_s)
        tell(f"{self.name} finished")

    def stop(self) -> None:
        tell(f"{self.name} stops")
        self.asked.set()


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Takes as long as the test wants it to."""
    tell("request begun")
    await word()
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done"})


async def word() -> None:
    """Returns once the test has said something; the end of its words is nothing said."""
    said = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard() -> None:
        loop.remove_reader(sys.stdin)
        if sys.stdin.readline():
            said.set()

    loop.add_reader(sys.stdin, heard)
    await said.wait()


def build(role: Role) -> Process:
    if MODE == "misconfigured":
        raise SettingsError("FLORIN_DATABASE_URL: is not set")
    configure_logging(service="sample")
    refusals = iter([DatabaseUnavailable("not up yet")] if MODE == "waits" else [])

    async def database() -> None:
        if MODE == "refused":
            raise ValueError("PostgreSQL 9")
        if MODE == "never up":
            raise DatabaseUnavailable("not up")
        for refusal in refusals:
            raise refusal

    async def close() -> None:
        tell("database closed")

    async def told() -> None:
        await word()
        tell("told")

    process = Process(
        "sample",
        HealthServer(host="127.0.0.1", port=INTERNAL_PORT, checks={"database": database}),
        drain_timeout_s=1.0 if MODE == "stuck" else 60.0,
        start_timeout_s=1.0,
        settle_timeout_s=60.0 if MODE == "learns" else 0.2,
    )
    process.before_start("database", database)
    if MODE in {"learns", "never learns"}:
        process.before_ready("teacher", told)
    process.at_end("database", close)
    process.add("relay", Part("relay"))
    if role != "api":
        process.add("consumer", Part("consumer", finish_s=60 if MODE == "stuck" else 0.05))
    process.add("http", HttpServer(answer, host="127.0.0.1", port=PORT, drain_delay_s=0.2))
    return process


async def migrate() -> Any:
    tell("migrated")


if __name__ == "__main__":
    sys.exit(command_line(build=build, migrate=migrate, arguments=sys.argv[4:]))
