"""Walks the faults one after another under load and takes down what each did to those who pay."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from florin.provision import AUDITOR
from florin.stack import Stack
from florin.verification.report import verify
from testkit.backing import Backing
from testkit.stacks import proxied_stack
from testkit.waiting import eventually

from .arena import Arena
from .calls import Caller
from .journal import Journal, now, read_answers, read_intents
from .loading import LoadProcess, open_accounts, plan_for
from .outcome import Order, Outcome, Record
from .payer import Payer
from .reconciliation import load_payments, reconcile
from .registry import Fault
from .watching import Books, Tail

CALM_S = 20.0
DRAIN_S = 90.0
QUIET_S = 90.0
_UNFINISHED = "SELECT payment_id FROM transaction.payment_states WHERE status IN ('PENDING', 'APPROVED')"


async def run(order: Order, backing: Backing) -> Outcome:
    """Start a stack, load it, walk the faults, stop the load, wait for quiet, and hold all to account."""
    began = time.monotonic()
    order.say("starting a stack of its own")
    async with proxied_stack(backing) as (stack, proxies):
        own, loads = order.folder / "own", order.folder / "load"
        plan = plan_for(stack, folder=loads, seed=order.seed, batches_per_s=order.pace.batches_per_s)
        load = LoadProcess(plan)
        books = Books(stack.surroundings.role_url(AUDITOR))
        with Journal(own) as journal:
            payer = _payer(stack, journal, order.seed)
            await open_accounts(payer)
            tail = Tail(loads)
            arena = Arena(
                stack=stack,
                proxies=proxies,
                folder=order.folder,
                chance=random.Random(f"faults of {order.seed}"),
                pace=order.pace,
                payer=payer,
                load_tail=tail,
                pause_load=load.pause,
                resume_load=load.resume,
            )
            walk = Walk(arena, order, tail)
            async with _under_watch(books), _loaded(load):
                await walk.all()
                await walk.enough_payments()
                await load.stop()
            payer.close()
        arena.wrongs += [f"the load: {line}" for line in load.complaints]
        order.say("waiting for quiet, verifying")
        verification = await verify(stack.surroundings, settle_s=QUIET_S)
        async with arena.auditor() as connection:
            await connection.execute("SET enable_nestloop = off; SET jit = off; SET work_mem = '64MB'")
            payments, moved = await load_payments(connection)
        intents = {**read_intents(own), **read_intents(loads)}
        answers = [*read_answers(own), *read_answers(loads)]
        findings = reconcile(intents, answers, payments, moved=moved)
        order.say("stopping the stack")
    return Outcome(
        seed=order.seed,
        records=walk.records,
        findings=findings,
        verification=verification,
        books=books,
        wrongs=arena.wrongs,
        notes=arena.notes,
        seconds=time.monotonic() - began,
        missing=walk.never_fired(),
        wanted_payments=order.payments,
    )


class Walk:
    """One fault after another, each measured."""

    def __init__(self, arena: Arena, order: Order, tail: Tail) -> None:
        self._arena = arena
        self._order = order
        self._tail = tail
        self._began = time.monotonic()
        self._calm_since = now()
        self.records: list[Record] = []

    async def all(self) -> None:
        """The whole list in an order of its own; again while there is time."""
        await self._calm()
        while True:
            faults = list(self._order.faults)
            self._arena.chance.shuffle(faults)
            for fault in faults:
                # The first walk is always whole: a fault that never fired would be a failure.
                if len(self.records) >= len(faults) and self._is_over():
                    return
                self.records.append(await self._one(fault))
            if self._is_over():
                return

    def _is_over(self) -> bool:
        return time.monotonic() - self._began > self._order.for_s

    async def enough_payments(self) -> None:
        """Returns when the load has made as many payments as were asked for, or time is up."""

        async def enough() -> bool:
            async with self._arena.auditor() as connection:
                made = await connection.fetchval("SELECT count(*) FROM transaction.payments")
            return bool(made >= self._order.payments)

        left_s = self._order.load_until_s - (time.monotonic() - self._began)
        with contextlib.suppress(AssertionError):
            await eventually(enough, timeout_s=max(left_s, 0), every_s=0.5)

    def never_fired(self) -> list[str]:
        """Faults whose moment never came: for them the run says nothing."""
        fired = {record.name for record in self.records if record.fired}
        return [fault.name for fault in self._order.faults if fault.name not in fired]

    async def _one(self, fault: Fault) -> Record:
        arena = self._arena
        record = Record(fault.name)
        arena.moments = []
        began = now()
        try:
            async with asyncio.timeout(fault.timeout_s):
                await fault.fire(arena)
            await arena.answering()
        except Exception as error:  # the run goes on: the others have something to say too
            record.error = f"{type(error).__name__}: {error}"
            await self._mend()
        record.fired = len(arena.moments)
        moment = arena.moments[-1] if arena.moments else began
        try:
            await self._drained()
        except Exception as error:
            record.error = record.error or f"did not drain: {type(error).__name__}: {error}"
        ended = now()
        calm_since, self._calm_since = self._calm_since, ended
        record.drain_s = round(ended - moment, 2)
        await self._calm()
        self._measure(record, calm_since, began=began, moment=moment, ended=ended)
        self._say(record)
        return record

    async def _mend(self) -> None:
        try:
            await self._arena.mend()
        except Exception as error:
            self._order.say(f"cannot be mended: {error}")

    def _measure(
        self, record: Record, calm_since: float, *, began: float, moment: float, ended: float
    ) -> None:
        tail = self._tail
        first = tail.first_success_s(moment)
        record.first_success_s = None if first is None else round(first, 2)
        record.p99_before_ms = tail.p99_ms(since=calm_since, answered_until=began)
        record.p99_during_ms = tail.p99_ms(since=began, until=ended)
        record.p99_after_ms = tail.p99_ms(since=ended)
        for error in tail.errors_between(began, ended):
            record.errors[error] = record.errors.get(error, 0) + 1

    async def _drained(self) -> None:
        """Returns when all payments that were unfinished when this was called are finished."""
        async with self._arena.auditor() as connection:
            waiting = [row["payment_id"] for row in await connection.fetch(_UNFINISHED)]

            async def done() -> bool:
                left = await connection.fetchval(
                    f"SELECT count(*) FROM ({_UNFINISHED} AND payment_id = ANY($1)) AS unfinished", waiting
                )
                return bool(left == 0)

            await eventually(done, timeout_s=DRAIN_S, every_s=0.1)

    async def _calm(self) -> None:
        """Returns after some ordinary answers to the load, so that there is a before and an after."""
        self._tail.read()
        wanted = len(self._tail.successes) + self._order.pace.calm_answers

        def enough() -> bool:
            self._tail.read()
            return len(self._tail.successes) >= wanted

        # No answers is for the fault's own record to say, and for the reconciliation.
        with contextlib.suppress(AssertionError):
            await eventually(enough, timeout_s=CALM_S, every_s=0.1)

    def _say(self, record: Record) -> None:
        said = record.error or f"fired {record.fired}, drained after {record.drain_s} s"
        self._order.say(f"{time.monotonic() - self._began:6.1f} s  {record.name}: {said}")


@asynccontextmanager
async def _loaded(load: LoadProcess) -> AsyncIterator[None]:
    try:
        await load.start()
        yield
    finally:
        await load.end()


@asynccontextmanager
async def _under_watch(books: Books) -> AsyncIterator[None]:
    watching = asyncio.create_task(books.watch())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def _payer(stack: Stack, journal: Journal, seed: int) -> Payer:
    plan = plan_for(stack, folder=journal.folder, seed=seed)
    return Payer(
        Caller(plan.transaction_port, api_key=plan.api_key),
        Caller(plan.account_port, api_key=plan.api_key),
        journal,
        name=f"own-{seed}",
        chance=random.Random(f"keys of faults of {seed}"),
    )
