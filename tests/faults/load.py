"""The load: a process of its own that keeps paying while things break, and writes down all it does.

`python -m tests.faults.load` reads its plan as one line of JSON, then one command a line: `pause`, `resume`,
`stop`. It starts requests by the clock, not by the answers, so that an outage does not silence it.
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from .calls import Caller
from .journal import Intent, Journal, Outcome
from .payer import Payer

HOLDERS = {"EUR": [f"LOAD-EUR-{n:03}" for n in range(100)], "JPY": [f"LOAD-JPY-{n:03}" for n in range(40)]}
# One account takes part in a quarter of all payments.
HOT_SHARE = 0.25
POOR, NOBODY = "LOAD-POOR", "LOAD-NOBODY"
WAIT_S = 10
MAX_SINGLES, MAX_BATCHES = 100, 8
TICK_S = 0.02


@dataclass(frozen=True)
class Plan:
    """Whom to load, how much, and by what seed."""

    transaction_port: int
    account_port: int
    api_key: str
    folder: str
    seed: int
    singles_per_s: float = 50.0
    batches_per_s: float = 2.0
    batch_size: int = 100


class Load:
    """Makes up payments by the seed and has them paid."""

    def __init__(self, payer: Payer, plan: Plan) -> None:
        self._payer = payer
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._running: set[asyncio.Task[None]] = set()
        self._kinds: dict[str, int] = {"single": 0, "batch": 0}
        self.going = asyncio.Event()
        self.going.set()
        self.stopping = False

    async def run(self) -> None:
        """Returns when stopped and all that was begun is definite."""
        loop = asyncio.get_running_loop()
        due = {"single": loop.time(), "batch": loop.time()}
        every_s = {"single": 1 / self._plan.singles_per_s, "batch": 1 / self._plan.batches_per_s}
        start = {"single": self._single, "batch": self._batch}
        most = {"single": MAX_SINGLES, "batch": MAX_BATCHES}
        while not self.stopping:
            if not self.going.is_set():
                await self.going.wait()
                due = dict.fromkeys(due, loop.time())
            for kind in due:
                while due[kind] <= loop.time():
                    due[kind] += every_s[kind]
                    if self._kinds[kind] < most[kind]:
                        self._begin(kind, start[kind])
            await asyncio.sleep(TICK_S)
        while self._running:
            await asyncio.wait(self._running)

    async def settle(self) -> None:
        """Returns when everything begun so far is definite."""
        if self._running:
            await asyncio.wait(set(self._running))

    def _begin(self, kind: str, work: Callable[[], Awaitable[None]]) -> None:
        async def counted() -> None:
            self._kinds[kind] += 1
            try:
                await work()
            finally:
                self._kinds[kind] -= 1

        task = asyncio.create_task(counted())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A load that fails in silence would leave a test that tests nothing.
            print(f"a payment could not be made: {task.exception()!r}", flush=True)

    async def _single(self) -> None:
        if self._chance.random() < 0.06:
            await self._pay_and_give_back()
        else:
            await self._payer.pay(self._intent(refused_share=0.03))

    async def _batch(self) -> None:
        await self._payer.pay_together(
            [self._intent(refused_share=0.01) for _ in range(self._plan.batch_size)]
        )

    async def _pay_and_give_back(self) -> None:
        paid = self._ordinary()
        answer = await self._payer.pay(paid, wait_s=WAIT_S)
        if answer.told != "SETTLED":
            return
        for expect in ("SETTLED", "REFUSED"):  # what was given back whole cannot be given back again
            back = Intent(
                self._payer.key("reversal"),
                debtor=paid.creditor,
                creditor=paid.debtor,
                amount_minor=paid.amount_minor,
                currency=paid.currency,
                expect=(expect,),
                reverses=answer.payment_id,
            )
            told = await self._payer.pay(back)
            if told.outcome is not Outcome.OK:
                return

    def _intent(self, *, refused_share: float) -> Intent:
        draw = self._chance.random()
        if draw < 0.05:
            return self._to_be_rejected(debtor=POOR, reason="insufficient_funds")
        if draw < 0.08:
            return self._to_be_rejected(creditor=NOBODY, reason="creditor_not_found")
        if draw < 0.08 + refused_share:
            same = self._chance.choice(HOLDERS["EUR"])
            return Intent(self._payer.key(), same, same, 100, expect=("REFUSED",))
        return self._ordinary()

    def _ordinary(self) -> Intent:
        currency = "EUR" if self._chance.random() < 0.8 else "JPY"
        debtor, creditor = self._chance.sample(HOLDERS[currency], 2)
        hot = HOLDERS[currency][0]
        if self._chance.random() < HOT_SHARE and hot not in (debtor, creditor):
            debtor, creditor = (hot, creditor) if self._chance.random() < 0.5 else (debtor, hot)
        return Intent(self._payer.key(), debtor, creditor, self._chance.randint(1, 50_000), currency)

    def _to_be_rejected(
        self, *, reason: str, debtor: str | None = None, creditor: str | None = None
    ) -> Intent:
        one, other = self._chance.sample(HOLDERS["EUR"], 2)
        return Intent(
            self._payer.key(),
            debtor or one,
            creditor or other,
            self._chance.randint(1, 50_000),
            expect=("REJECTED",),
            reason=reason,
        )


async def obey(load: Load, commands: asyncio.StreamReader) -> None:
    """Do what is said on standard input; its end is a `stop`, so that the load never outlives who started
    it."""
    while True:
        word = (await commands.readline()).decode().strip()
        if word == "pause":
            load.going.clear()
            await load.settle()
        elif word == "resume":
            load.going.set()
        else:
            load.stopping = True
            load.going.set()
            return
        print(word, flush=True)


async def main() -> None:
    """The process."""
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin.buffer
    )
    plan = Plan(**json.loads(await commands.readline()))
    with Journal(Path(plan.folder)) as journal:
        payments = Caller(plan.transaction_port, api_key=plan.api_key)
        accounts = Caller(plan.account_port, api_key=plan.api_key)
        payer = Payer(
            payments,
            accounts,
            journal,
            name=f"load-{plan.seed}",
            chance=random.Random(f"keys of {plan.seed}"),
        )
        load = Load(payer, plan)
        print("started", flush=True)
        obeying = asyncio.create_task(obey(load, commands))
        await load.run()
        await obeying
        payer.close()


if __name__ == "__main__":
    uvloop.run(main())
