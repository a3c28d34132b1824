"""Many requests, one commit: in order, no bad neighbour, no lost caller, nothing done twice in silence."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from service_kit.database import CommitOutcomeUnknown, DatabaseUnavailable
from service_kit.group_commit import GroupCommit
from service_kit.problems import Problem


class Refused(Exception):
    """What a flush raises for an item at fault."""


class Ledger:
    """A flush that takes all or nothing and can be held, and what it has committed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.committed: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fail: Callable[[Sequence[int]], Exception | None] = lambda _items: None

    async def flush(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.open.wait()
        error = self.fail(items)
        if error is not None:
            raise error
        self.committed += items
        return [item * 10 for item in items]


@asynccontextmanager
async def running(group: GroupCommit[int, int]) -> AsyncIterator[None]:
    task = asyncio.create_task(group.run())
    try:
        yield
    finally:
        group.stop()
        await asyncio.wait_for(task, 5)


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_commit_goes_into_the_next_one_in_order() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.flush, max_batch=4)
    async with running(group):
        ledger.open.clear()
        first = asyncio.create_task(group.submit(0))
        await turns()
        rest = [asyncio.create_task(group.submit(item)) for item in range(1, 7)]
        await turns()
        ledger.open.set()
        assert await asyncio.gather(first, *rest) == [item * 10 for item in range(7)]
    assert ledger.batches == [[0], [1, 2, 3, 4], [5, 6]]


async def test_one_bad_item_fails_alone() -> None:
    ledger = Ledger()
    ledger.fail = lambda items: Refused(13) if 13 in items else None
    group = GroupCommit(ledger.flush)
    async with running(group):
        outcomes = await asyncio.gather(*(group.submit(item) for item in range(50)), return_exceptions=True)
    assert isinstance(outcomes[13], Refused)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Refused)] == [
        item * 10 for item in range(50) if item != 13
    ]
    assert ledger.committed == [item for item in range(50) if item != 13]


async def test_an_unknown_outcome_is_told_to_all_and_not_tried_again() -> None:
    ledger = Ledger()
    ledger.fail = lambda _items: CommitOutcomeUnknown("cut")
    group = GroupCommit(ledger.flush)
    async with running(group):
        outcomes = await asyncio.gather(*(group.submit(item) for item in range(8)), return_exceptions=True)
    assert all(isinstance(outcome, CommitOutcomeUnknown) for outcome in outcomes)
    assert ledger.batches == [list(range(8))]


async def test_an_idempotent_flush_looks_an_unknown_outcome_up_by_trying_again() -> None:
    ledger = Ledger()
    failures = iter([CommitOutcomeUnknown("cut")])
    ledger.fail = lambda _items: next(failures, None)
    group = GroupCommit(ledger.flush, retry_unknown=True)
    async with running(group):
        assert await asyncio.gather(*(group.submit(item) for item in range(3))) == [0, 10, 20]
    assert ledger.batches == [[0, 1, 2]] * 2


async def test_an_outage_is_told_to_all_without_splitting() -> None:
    ledger = Ledger()
    ledger.fail = lambda _items: DatabaseUnavailable("refused")
    group = GroupCommit(ledger.flush, retry_unknown=True)
    async with running(group):
        outcomes = await asyncio.gather(*(group.submit(item) for item in range(8)), return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    assert len(ledger.batches) == 1


async def test_a_caller_who_leaves_takes_nobody_along() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.flush)
    async with running(group):
        ledger.open.clear()
        leaving, staying = asyncio.create_task(group.submit(1)), asyncio.create_task(group.submit(2))
        await turns()
        waiting = asyncio.create_task(group.submit(3))
        await turns()
        leaving.cancel()
        waiting.cancel()
        await turns()
        ledger.open.set()
        assert await staying == 20
        assert await group.submit(4) == 40
    # The first had begun and stands; the one that had not begun when its caller left was never done.
    assert ledger.committed == [1, 2, 4]


async def test_too_many_waiting_are_refused_with_nothing_done() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.flush, max_batch=1, max_waiting=2)
    async with running(group):
        ledger.open.clear()
        first = asyncio.create_task(group.submit(0))
        await turns()
        waiting = [asyncio.create_task(group.submit(item)) for item in (1, 2)]
        await turns()
        with pytest.raises(Problem) as refused:
            await group.submit(3)
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        assert "retry-after" in refused.value.headers
        ledger.open.set()
        await asyncio.gather(first, *waiting)
    assert ledger.committed == [0, 1, 2]


async def test_stopping_commits_what_waits_and_takes_no_more() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.flush, max_batch=2)
    task = asyncio.create_task(group.run())
    submitted = [asyncio.create_task(group.submit(item)) for item in range(5)]
    await turns(1)
    group.stop()
    assert await asyncio.gather(*submitted) == [0, 10, 20, 30, 40]
    await asyncio.wait_for(task, 5)
    with pytest.raises(Problem, match="overloaded"):
        await group.submit(9)


async def test_a_flush_that_is_cut_off_leaves_its_callers_with_an_unknown_outcome() -> None:
    ledger = Ledger()
    ledger.open.clear()
    group = GroupCommit(ledger.flush, max_batch=1)
    task = asyncio.create_task(group.run())
    begun, waiting = asyncio.create_task(group.submit(1)), asyncio.create_task(group.submit(2))
    await turns()
    task.cancel()
    outcomes = await asyncio.gather(begun, waiting, return_exceptions=True)
    assert isinstance(outcomes[0], CommitOutcomeUnknown)
    assert isinstance(outcomes[1], Problem)
    await asyncio.wait({task})
    assert task.cancelled()
