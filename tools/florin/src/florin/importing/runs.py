"""An import from its first line to its last settlement."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from florin.errors import StackError
from florin.importing import orders
from florin.importing.feed import Feed, Source
from florin.importing.following import feed_and_follow
from florin.importing.lines import Fault
from florin.importing.orders import Item
from florin.importing.progress import Unwatched, Watcher
from florin.importing.rejects import Rejects, rejects_beside
from florin.importing.sending import Answer, Sender
from florin.importing.settlement import Settlement


@dataclass
class Summary:
    """What an import came to. Lines are accepted, replayed (known from before) or errors; accepted payments
    are settled, rejected, in review, or unfinished when patience ended first."""

    lines: int = 0
    accepted: int = 0
    replayed: int = 0
    errors: int = 0
    settled: int = 0
    rejected: int = 0
    in_review: int = 0
    unfinished: int = 0
    seconds: float = 0.0
    per_second: float = 0.0
    retries: int = 0
    rejected_by: dict[str, int] = field(default_factory=dict)
    refused_by: dict[str, int] = field(default_factory=dict)
    rejects_file: str | None = None

    @property
    def exit_status(self) -> int:
        """0 all well, 1 lines refused or payments rejected, 2 not finished."""
        if self.unfinished:
            return 2
        return 1 if self.errors or self.rejected else 0


async def import_accounts(sender: Sender, source: Source, watcher: Watcher | None = None) -> Summary:
    """Opens an account for each line. Those open already on the same terms are told as replayed."""
    summary = Summary()
    # A key for this run: asked by a later one, the service tells what stands and not what was answered then.
    run = hashlib.sha256(f"{source.path} {time.time_ns()}".encode()).hexdigest()[:16]
    with _rejects_of(source, summary) as rejects:

        def told(items: Sequence[Item], answer: Answer) -> None:
            for item, outcome in zip(items, answer.document["items"], strict=True):
                if outcome["outcome"] == "refused":
                    rejects.add(_refused(item, outcome["problem"]))
                elif outcome["outcome"] == "opened":
                    summary.accepted += 1
                else:
                    summary.replayed += 1

        async def send(items: Sequence[Item]) -> Answer:
            bodies = [item.body for item in items]
            key = f"import-{run}-{_digest(items)}"
            return await sender.post("/v1/accounts/batches", {"accounts": bodies}, key=key)

        began = time.monotonic()
        feed = Feed(source, orders.ACCOUNT_COLUMNS, orders.read_account, rejects)
        await feed.run(send, told, watcher or Unwatched())
        summary.lines = feed.lines
        summary.seconds = time.monotonic() - began
        summary.settled = summary.accepted
    return _finished(summary, sender)


async def import_payments(sender: Sender, source: Source, watcher: Watcher | None = None) -> Summary:
    """Makes a payment of each line and waits until every accepted one has come to its end."""
    summary = Summary()
    watcher = watcher or Unwatched()
    settlement = Settlement(sender)
    with _rejects_of(source, summary) as rejects:
        newest_before = await _newest(sender)

        def told(items: Sequence[Item], answer: Answer) -> None:
            accepted: dict[UUID, int] = {}
            for item, outcome in zip(items, answer.document["items"], strict=True):
                if outcome["outcome"] == "refused":
                    rejects.add(_refused(item, outcome["problem"]))
                    continue
                payment_id = UUID(outcome["payment_id"])
                # After a try of unknown outcome our own payment comes back as a replay of itself. Ids are in
                # the order of time: one newer than all there was before we began is ours.
                made_now = answer.uncertain and payment_id > newest_before
                if outcome["outcome"] == "accepted" or made_now:
                    accepted[payment_id] = item.line
                else:
                    summary.replayed += 1
            settlement.add(accepted)
            summary.accepted += len(accepted)

        async def send(items: Sequence[Item]) -> Answer:
            bodies = [item.body for item in items]
            return await sender.post(
                "/v1/payments/batches", {"payments": bodies}, key=f"import-{_digest(items)}"
            )

        began = time.monotonic()
        feed = Feed(source, orders.PAYMENT_COLUMNS, orders.read_payment, rejects)
        outcome = await feed_and_follow(feed.run(send, told, watcher), settlement, watcher, source.patience_s)
        summary.seconds = time.monotonic() - began
        summary.lines = feed.lines
        for line, reason in outcome.lines:
            rejects.add(Fault(line, reason, "the payment was made and rejected"))
        summary.settled, summary.in_review = outcome.settled, outcome.in_review
        summary.rejected, summary.rejected_by = outcome.rejected.total(), dict(outcome.rejected)
        summary.unfinished = outcome.unfinished
    return _finished(summary, sender)


@contextmanager
def _rejects_of(source: Source, summary: Summary) -> Iterator[Rejects]:
    path = source.rejects or rejects_beside(source.path)
    if path.resolve() == source.path.resolve():
        raise StackError(f"the rejects file cannot be {path}, which is what is imported")
    with Rejects(path) as rejects:
        yield rejects
    summary.refused_by = dict(rejects.by_code - Counter(summary.rejected_by))
    summary.errors = sum(summary.refused_by.values())
    summary.rejects_file = str(path) if rejects.by_code else None


async def _newest(sender: Sender) -> UUID:
    page = await sender.get("/v1/payments", {"limit": "1"})
    return UUID(page["items"][0]["id"]) if page["items"] else UUID(int=0)


def _digest(items: Sequence[Item]) -> str:
    content = orjson.dumps([item.body for item in items], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


def _refused(item: Item, problem: dict[str, str]) -> Fault:
    return Fault(item.line, problem["code"], f"{problem['field']}: {problem['message']}")


def _finished(summary: Summary, sender: Sender) -> Summary:
    summary.seconds = round(summary.seconds, 3)
    done = summary.settled + summary.rejected + summary.in_review
    summary.per_second = round(done / summary.seconds, 1) if summary.seconds else 0.0
    summary.retries = sender.retries
    return summary
