"""What a client meant to do and what it was told: two append-only files, written before it acts on either."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

INTENTS, ANSWERS = "intents.jsonl", "answers.jsonl"


class Outcome(StrEnum):
    """What an answer says of a request: it stands, it was refused and moved nothing, or nobody can say."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Intent:
    """One payment that a client is about to ask for, and the ends that are right for it.

    `expect` holds final states (SETTLED, REJECTED), or REFUSED for a request that must be turned down at the
    door; `reason` is the reason of a rejection, None for any. `reverses` names the payment given back.
    """

    key: str
    debtor: str
    creditor: str
    amount_minor: int
    currency: str = "EUR"
    expect: Sequence[str] = ("SETTLED",)
    reason: str | None = None
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one key. `told` is a final state if the client was told one.

    `sent_at` and `at` are `time.time()`; `attempt` counts from 1; `status` is 0 when nothing came back, and
    `error` says why not (refused, reset, timeout) or is the code of a refusal. `waited`: the client asked to
    be answered when all was over, so that its time says nothing of how quickly requests are taken.
    `replayed`: the service says that the payment stood before this request.
    """

    key: str
    outcome: Outcome
    status: int
    sent_at: float
    at: float
    attempt: int = 1
    error: str | None = None
    payment_id: str | None = None
    told: str | None = None
    single: bool = True
    waited: bool = False
    replayed: bool = False

    @property
    def latency_s(self) -> float:
        """From sending to answer."""
        return self.at - self.sent_at


class Journal:
    """Writes intents and answers into a folder; every line is with the operating system when a call returns,
    so that it survives the process (not the machine: nothing here kills that)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._intents: IO[bytes] = (folder / INTENTS).open("ab", buffering=0)
        self._answers: IO[bytes] = (folder / ANSWERS).open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def intend(self, *intents: Intent) -> None:
        """To be called before anything is sent."""
        self._intents.write(_lines(asdict(one) for one in intents))

    def answered(self, *answers: Answer) -> None:
        """To be called when an answer, or none, came back."""
        self._answers.write(_lines(asdict(one) for one in answers))

    def close(self) -> None:
        """No more will be written."""
        self._intents.close()
        self._answers.close()


def read_intents(folder: Path) -> dict[str, Intent]:
    """All intents of a folder by key. A line cut off by a crash is passed over: its request was never
    sent."""
    return {row["key"]: Intent(**row) for row in _rows(folder / INTENTS)}


def read_answers(folder: Path) -> Iterator[Answer]:
    """All answers of a folder, in the order in which they came."""
    for row in _rows(folder / ANSWERS):
        yield Answer(**{**row, "outcome": Outcome(row["outcome"])})


def now() -> float:
    """The clock of journals."""
    return time.time()


def _lines(rows: Iterator[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield json.loads(line)
