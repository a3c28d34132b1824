"""Following accepted payments to their end through the list API, at a cost that does not grow with time.

While payments are on their way one look a round suffices: whether the last payment of the oldest batch that
is still open has got through. That only paces the progress shown. What is reported comes from the end: pages
of what is PENDING, in REVIEW and REJECTED, newest first and never past the oldest payment of this import.
States are read in the order in which a payment moves through them, so that one that moves meanwhile is met
in a later state; a payment that stands in none of them is SETTLED.
"""

from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from florin.importing.sending import Sender

PAGE = 200
_MOVING = ("PENDING",)
# After these come only SETTLED and each other's successors: see the lifecycle's table of moves.
_REPORTED = ("REVIEW", "APPROVED", "REJECTED", "VOIDED", "EXPIRED")
_UNFINISHED = frozenset({"PENDING", "APPROVED"})


@dataclass
class Outcome:
    """What became of the accepted payments."""

    settled: int = 0
    in_review: int = 0
    unfinished: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    # Line and reason of each that was rejected.
    lines: list[tuple[int, str]] = field(default_factory=list)


class Settlement:
    """The payments that one import has had accepted."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._line_of: dict[UUID, int] = {}
        self._open: deque[tuple[UUID, int]] = deque()
        self.through = 0

    @property
    def accepted(self) -> int:
        """How many payments are followed."""
        return len(self._line_of)

    @property
    def all_through(self) -> bool:
        """Whether the last payment of every batch has got through; only `sweep` says that all have."""
        return not self._open

    def add(self, accepted: Mapping[UUID, int]) -> None:
        """Follow the payments of one more batch, each with its line."""
        if accepted:
            self._line_of.update(accepted)
            # Ids are in the order in which the service took the payments, and will finish them.
            self._open.append((max(accepted), len(accepted)))

    async def look(self) -> bool:
        """Move past the batches that have got through; False when the oldest has not."""
        before = self.through
        while self._open:
            payment_id, count = self._open[0]
            payment = await self._sender.get(f"/v1/payments/{payment_id}")
            if payment["status"] in _UNFINISHED:
                break
            self._open.popleft()
            self.through += count
        return self.through > before

    async def still_moving(self) -> int:
        """How many of the payments are on their way, counted one by one."""
        return len([item async for item in self._ours(*_MOVING)])

    async def outcome(self) -> Outcome:
        """What became of each; to be called when nothing moves any more (what does counts as unfinished)."""
        found: dict[UUID, dict[str, Any]] = {}
        for status in (*_MOVING, *_REPORTED):
            async for item in self._ours(status):
                found[UUID(item["id"])] = item
        outcome = Outcome(settled=len(self._line_of) - len(found))
        for payment_id, item in found.items():
            if item["status"] == "REVIEW":
                outcome.in_review += 1
            elif item["status"] in _UNFINISHED:
                outcome.unfinished += 1
            else:
                reason = item["reason"] or item["status"].lower()
                outcome.rejected[reason] += 1
                outcome.lines.append((self._line_of[payment_id], reason))
        outcome.lines.sort()
        return outcome

    async def _ours(self, status: str) -> AsyncIterator[dict[str, Any]]:
        if not self._line_of:
            return
        oldest = min(self._line_of)
        query = {"status": status, "limit": str(PAGE)}
        while True:
            page = await self._sender.get("/v1/payments", query)
            for item in page["items"]:
                payment_id = UUID(item["id"])
                if payment_id < oldest:
                    return
                if payment_id in self._line_of:
                    yield item
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]
