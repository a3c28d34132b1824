"""One commit for many requests: whatever is waiting when the last commit ends goes into the next one.

Nobody lingers for company: an idle system commits one request at once, a busy one commits hundreds for the
price of one. One bad request cannot fail its neighbours, and a caller who leaves cannot take the batch along.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog
from messaging.tracing import span_about
from sqlalchemy.exc import DBAPIError

from service_kit.database import CommitOutcomeUnknown, is_outage, sqlstate
from service_kit.problems import overloaded
from service_kit.telemetry import current_recorded, gauge, histogram

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_RETRIES = 2
_RETRY_PAUSE_S = 0.05
# The server chose this transaction to give way; it was rolled back whole, and the next try mostly succeeds.
_GAVE_WAY = frozenset({"40001", "40P01"})

_BATCH = histogram(
    "group_commit_batch_items",
    "Items committed together.",
    ("name",),
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
_WAITING = gauge("group_commit_waiting", "Items waiting for the next commit.", ("name",))

_log = structlog.stdlib.get_logger(__name__)


class GroupCommit(Generic[Item, Outcome]):
    """Collects items and has `flush` commit them together, in the order in which they came.

    `flush` takes 1..`max_batch` items and returns an outcome for each, in order, once they are committed.
    What it raises is told to the one item at fault: a failing batch is halved until it is found, so `flush`
    must leave nothing behind when it raises. An outage is told to all; so is `CommitOutcomeUnknown`, unless
    `retry_unknown` says that flushing the same items twice does no more than once.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]],
        *,
        name: str = "items",
        max_batch: int = 200,
        max_waiting: int = 5_000,
        retry_unknown: bool = False,
    ) -> None:
        self._flush = flush
        self._name = name
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._retry_unknown = retry_unknown
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._batch_size = _BATCH.labels(name)
        _WAITING.labels(name).set_function(lambda: len(self._waiting))

    async def submit(self, item: Item) -> Outcome:
        """The item's outcome, once it is committed; raises what `flush` raised for it.

        Raises a 503 `overloaded` problem, with nothing done, when too many wait or the process is ending.
        """
        if self._stopping or len(self._waiting) >= self._max_waiting:
            raise overloaded()
        waiting: _Waiting[Item, Outcome] = _Waiting(item)
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.outcome

    async def run(self) -> None:
        """Flushes until stopped, and then what still waits."""
        try:
            while await self._something_waits():
                # One whose caller has left before its turn has no one to answer to, and was never begun.
                batch = [item for item in self._take() if not item.outcome.done()]
                if batch:
                    await self._settle(batch)
        finally:
            self._stopping = True
            for left in self._waiting:
                left.fail(overloaded())
            self._waiting.clear()

    def stop(self) -> None:
        """Takes no more; `run` ends when all that waits is committed."""
        self._stopping = True
        self._wake.set()

    async def _something_waits(self) -> bool:
        while not self._waiting:
            if self._stopping:
                return False
            self._wake.clear()
            await self._wake.wait()
        return True

    def _take(self) -> "list[_Waiting[Item, Outcome]]":
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]

    async def _settle(self, batch: "list[_Waiting[Item, Outcome]]") -> None:
        try:
            with span_about(f"commit {self._name}", (item.cause for item in batch)):
                await self._settle_or_split(batch)
        except BaseException:
            # Cancelled in the middle of a flush: the commit may have been sent.
            for item in batch:
                item.fail(CommitOutcomeUnknown("the process ended while the commit was under way"))
            raise

    async def _settle_or_split(self, batch: "list[_Waiting[Item, Outcome]]") -> None:
        """Flushes; halves a batch in which some item is at fault, first half first, to keep the order."""
        pending = [batch]
        while pending:
            part = pending.pop()
            try:
                outcomes = await self._flush_with_retries([waiting.item for waiting in part])
            except Exception as error:
                if len(part) > 1 and not _concerns_all(error):
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                    continue
                if _concerns_all(error):
                    _log.warning(
                        "group commit failed", name=self._name, items=len(part), error=repr(error)[:300]
                    )
                for waiting in part:
                    waiting.fail(error)
            else:
                self._batch_size.observe(len(part))
                for waiting, outcome in zip(part, outcomes, strict=True):
                    waiting.succeed(outcome)

    async def _flush_with_retries(self, items: list[Item]) -> Sequence[Outcome]:
        for attempt in range(_RETRIES + 1):
            try:
                outcomes = await self._flush(items)
            except Exception as error:
                if attempt == _RETRIES or not self._worth_another_try(error):
                    raise
                await asyncio.sleep(_RETRY_PAUSE_S * (attempt + 1))
            else:
                assert len(outcomes) == len(items), "flush must return one outcome for each item"
                return outcomes
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _worth_another_try(self, error: Exception) -> bool:
        if isinstance(error, CommitOutcomeUnknown):
            return self._retry_unknown
        return isinstance(error, DBAPIError) and sqlstate(error) in _GAVE_WAY


class _Waiting(Generic[Item, Outcome]):
    """An item and the future through which its caller hears of it."""

    __slots__ = ("cause", "item", "outcome")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.cause = current_recorded()
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def succeed(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


def _concerns_all(error: Exception) -> bool:
    """Whether the failure says nothing of any one item: then splitting would only repeat it."""
    return isinstance(error, CommitOutcomeUnknown) or is_outage(error)
