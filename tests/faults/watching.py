"""Looking on while faults happen: the books in snapshots, the client's answers as they come."""

import asyncio
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from florin.provision import connect

from .journal import ANSWERS

LOOK_S = 0.5
# What the books must show in every single snapshot, whatever is broken at that moment.
_BOOKS = """
    SELECT currency, sum(posted_minor)::bigint AS total, count(*) AS accounts,
           count(*) FILTER (WHERE posted_minor - held_minor + overdraft_minor < 0) AS past_limit
    FROM account.accounts GROUP BY currency
"""


@dataclass
class Books:
    """Reads all balances at once, again and again, through every outage."""

    url: str
    snapshots: int = 0
    missed: int = 0
    wrong: list[str] = field(default_factory=list)

    async def watch(self) -> None:
        """Until cancelled."""
        connection: asyncpg.Connection[asyncpg.Record] | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await connect(self.url)
                    self.look_at(await connection.fetch(_BOOKS, timeout=10))
                except Exception:
                    # A server that dies under it makes the driver raise about everything, its own errors too.
                    self.missed += 1
                    if connection is not None:
                        connection.terminate()
                        connection = None
                await asyncio.sleep(LOOK_S)
        finally:
            if connection is not None:
                connection.terminate()

    def look_at(self, rows: Iterable[Any]) -> None:
        """One snapshot."""
        self.snapshots += 1
        for row in rows:
            if row["total"] != 0:
                self.wrong.append(f"balances in {row['currency']} added up to {row['total']}")
            if row["past_limit"]:
                self.wrong.append(f"{row['past_limit']} balances in {row['currency']} were past their limits")


@dataclass(frozen=True, slots=True)
class Told:
    """One request as its client lived through it: from the first sending to the definite answer."""

    first_sent_at: float
    definite_at: float


class Tail:
    """Follows the answers to single requests in a journal that another process writes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / ANSWERS
        self._at = 0
        self._rest = b""
        self._first_sent: dict[str, float] = {}
        self.told: list[Told] = []
        self.successes: list[tuple[float, float]] = []
        self.errors: list[tuple[float, str]] = []
        self._carried_out: list[tuple[float, str]] = []
        self._last_at = 0.0

    def read(self) -> None:
        """Take in what was written since the last time."""
        if not self._file.exists():
            return
        with self._file.open("rb") as answers:
            answers.seek(self._at)
            content = answers.read()
        self._at += len(content)
        lines = (self._rest + content).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            # Batches are most of the lines; they are told apart before they are parsed.
            if b'"single":true' in line and b'"waited":false' in line:
                self._take(json.loads(line))

    def _take(self, answer: dict[str, object]) -> None:
        key, sent_at, at = str(answer["key"]), float(str(answer["sent_at"])), float(str(answer["at"]))
        first = self._first_sent.setdefault(key, sent_at)
        self._last_at = at
        if answer["replayed"] and first < sent_at:
            self._carried_out.append((first, key))
        if answer["outcome"] == "unknown":
            self.errors.append((sent_at, str(answer["error"])))
            return
        del self._first_sent[key]
        self.told.append(Told(first, at))
        if answer["outcome"] == "ok":
            self.successes.append((sent_at, at))

    def p99_ms(
        self, *, since: float, until: float = math.inf, answered_until: float = math.inf
    ) -> float | None:
        """Of requests first sent in this time, how long 99% took at most until the answer was definite."""
        taken = [
            one.definite_at - one.first_sent_at
            for one in self.told
            if since <= one.first_sent_at < until and one.definite_at < answered_until
        ]
        return percentile(taken, 0.99)

    def first_success_s(self, since: float) -> float | None:
        """From then to the first success of a request that was sent after it."""
        ends = [at for sent_at, at in self.successes if sent_at >= since]
        return min(ends) - since if ends else None

    def read_until(self, moment: float) -> bool:
        """Take in what is new; True once answers from after that moment are there."""
        self.read()
        return self._last_at > moment

    def carried_out_unanswered(self, since: float, until: float) -> list[str]:
        """Keys of requests first sent in this time whose first sending took effect and was not answered."""
        return [key for first_sent_at, key in self._carried_out if since <= first_sent_at < until]

    def errors_between(self, since: float, until: float) -> list[str]:
        """What went wrong with requests sent in this time."""
        return [error for sent_at, error in self.errors if since <= sent_at < until]


def percentile(values: Iterable[float], share: float) -> float | None:
    """In milliseconds, by the nearest rank; None of nothing."""
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 1) if ordered else None
