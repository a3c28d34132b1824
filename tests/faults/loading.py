"""The load's process, as the one who runs faults holds it."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from florin.stack import Stack

from .load import HOLDERS, POOR, Plan
from .payer import CANARY, Payer

ROOT = Path(__file__).resolve().parents[2]
OPENING_MINOR = 1_000_000_000_000
END_S = 150.0
WORD_S = 150.0


class LoadProcess:
    """Starts, pauses and stops the load; what it says of failures is kept in `complaints`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._words: asyncio.Queue[str] = asyncio.Queue()
        self.complaints: list[str] = []

    async def start(self) -> None:
        """Returns when it runs."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.load"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._listening = asyncio.create_task(self._listen())
        await self._say(json.dumps(asdict(self._plan)), "started")

    async def pause(self) -> None:
        """Returns when it has begun nothing new and knows the outcome of everything."""
        await self._say("pause", "pause")

    async def resume(self) -> None:
        """It goes on."""
        await self._say("resume", "resume")

    async def stop(self) -> None:
        """Returns when it has ended, knowing the outcome of everything."""
        assert self._process is not None, "it was started"
        assert self._process.stdin is not None, "it is spoken to"
        self._process.stdin.close()
        async with asyncio.timeout(END_S):
            status = await self._process.wait()
        assert self._listening is not None, "it was started"
        await self._listening
        if status != 0:
            self.complaints.append(f"the load ended with status {status}")

    async def end(self) -> None:
        """At once, whatever it does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def _say(self, line: str, answer: str) -> None:
        assert self._process is not None, "it was started"
        assert self._process.stdin is not None, "it is spoken to"
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(WORD_S):
            word = await self._words.get()
        assert word == answer, f"the load said {word!r}"

    async def _listen(self) -> None:
        assert self._process is not None, "it was started"
        assert self._process.stdout is not None, "it is heard"
        async for line in self._process.stdout:
            word = line.decode().rstrip()
            if word in ("started", "pause", "resume"):
                self._words.put_nowait(word)
            else:
                self.complaints.append(word)


async def open_accounts(payer: Payer) -> None:
    """Every account that the load and the canary name, but for the one that must not exist."""
    for currency, holders in HOLDERS.items():
        await payer.open_accounts(holders, balance_minor=OPENING_MINOR, currency=currency)
    await payer.open_accounts(CANARY, balance_minor=OPENING_MINOR)
    await payer.open_accounts([POOR], balance_minor=0)


def plan_for(stack: Stack, *, folder: Path, seed: int, batches_per_s: float = 2.0) -> Plan:
    """The plan of a stack's load."""
    surroundings = stack.surroundings
    return Plan(
        transaction_port=surroundings.ports.api("transaction"),
        account_port=surroundings.ports.api("account"),
        api_key=surroundings.credentials.api_keys["demo"],
        folder=str(folder),
        seed=seed,
        batches_per_s=batches_per_s,
    )
