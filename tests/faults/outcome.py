"""What is asked of a run of faults, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from florin.verification.report import Report

from .arena import Pace
from .reconciliation import Findings
from .registry import Fault
from .watching import Books


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    faults: Sequence[Fault]
    seed: int
    pace: Pace
    folder: Path
    # The list is walked again, in another order, until so much time has passed; 0: once.
    for_s: float = 0.0
    # The load goes on until so many payments were made, or `load_until_s` have passed.
    payments: int = 0
    load_until_s: float = 500.0
    say: Callable[[str], None] = print


@dataclass
class Record:
    """One firing of one fault. Times in seconds from its last moment."""

    name: str
    fired: int = 0
    error: str | None = None
    first_success_s: float | None = None
    drain_s: float | None = None
    p99_before_ms: float | None = None
    p99_during_ms: float | None = None
    p99_after_ms: float | None = None
    errors: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """Everything that a run found."""

    seed: int
    records: list[Record]
    findings: Findings
    verification: Report
    books: Books
    wrongs: list[str]
    notes: list[str]
    seconds: float
    missing: list[str]
    wanted_payments: int = 0

    @property
    def failures(self) -> list[str]:
        """Why the run has failed, a line for each; empty when all is well."""
        found = self.findings
        listed = {"lost": found.lost, "duplicated": found.duplicated, "wrong": found.wrong}
        lines = [f"{kind}: {line}" for kind, of_kind in listed.items() for line in of_kind]
        lines += [f"unresolved: {line}" for line in found.unresolved]
        lines += [f"{record.name}: {record.error}" for record in self.records if record.error]
        lines += [f"{name}: never fired" for name in self.missing]
        lines += [f"snapshot: {line}" for line in self.books.wrong]
        lines += self.wrongs
        if found.payments < self.wanted_payments:
            lines.append(f"only {found.payments} payments of {self.wanted_payments}")
        if self.books.snapshots == 0:
            lines.append("the books were never read")
        for result in self.verification.results:
            if result.finding.ok is False:
                lines.append(
                    f"verify: {result.check.invariant}. {result.check.name}: {result.finding.offender}"
                )
        return lines
