"""The circuit before a receiver: whether events go to it, wait, or one of them tries whether it is back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

FAILURES_TO_OPEN: Final = 5
FIRST_PAUSE_S: Final = 30.0
MAX_PAUSE_S: Final = 600.0
# The fifth failed probe in a row is past the longest pause.
_MAX_DOUBLINGS: Final = 5


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # a probe is on its way


NEXT: Final[Mapping[CircuitState, frozenset[CircuitState]]] = {
    CircuitState.CLOSED: frozenset({CircuitState.OPEN}),
    CircuitState.OPEN: frozenset({CircuitState.HALF_OPEN, CircuitState.CLOSED}),
    # From half open to half open when the worker with the probe died: its lease ends, and another probes.
    CircuitState.HALF_OPEN: frozenset({CircuitState.OPEN, CircuitState.CLOSED, CircuitState.HALF_OPEN}),
}
assert set(NEXT) == set(CircuitState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The circuit of one endpoint, shared by all workers.

    `failures` counts those in a row: up to the opening each of them, from then on failed probes alone.
    `since` is when it closed, or opened (None: it has never been open); `until` when the next probe may go,
    which half open is when the probe's lease ends; `wanted` the delivery that a person asked to be the next
    probe. A claim alone makes it half open, in the database, where all workers meet.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    since: datetime | None = None
    until: datetime | None = None
    wanted: UUID | None = None

    def closed(self, *, at: datetime) -> Self:
        """After a success, or for another receiver: all goes through; unchanged where nothing had failed."""
        if self.state is CircuitState.CLOSED:
            return replace(self, failures=0) if self.failures else self
        return replace(self, state=CircuitState.CLOSED, failures=0, since=at, until=None, wanted=None)

    def failed(self, times: int, *, probed: bool, at: datetime, draw: Callable[[], float]) -> Self:
        """After `times` failures, a probe's among them or not; unchanged by what comes late to it."""
        if self.state is CircuitState.CLOSED:
            failures = min(self.failures + times, FAILURES_TO_OPEN)
            if failures < FAILURES_TO_OPEN:
                return replace(self, failures=failures)
            return replace(self, since=at)._opened(failures, at=at, draw=draw)
        if not probed or self.state is not CircuitState.HALF_OPEN:
            return self
        return self._opened(self.failures + 1, at=at, draw=draw)

    def undecided(self, *, at: datetime, draw: Callable[[], float]) -> Self:
        """After a probe that failed by a fault of ours: as long a pause again, which is no failure."""
        return self._opened(self.failures, at=at, draw=draw) if self.state is CircuitState.HALF_OPEN else self

    def asked_for(self, delivery_id: UUID, *, at: datetime) -> Self:
        """A person wants this delivery sent now: the next probe, at once or after the one on its way."""
        if self.state is CircuitState.CLOSED:
            return self
        return replace(self, wanted=delivery_id, until=at if self.state is CircuitState.OPEN else self.until)

    def _opened(self, failures: int, *, at: datetime, draw: Callable[[], float]) -> Self:
        # Somebody waits to see it tried.
        pause = timedelta(0) if self.wanted is not None else _pause(failures, draw)
        return replace(self, state=CircuitState.OPEN, failures=failures, until=at + pause)


def _pause(failures: int, draw: Callable[[], float]) -> timedelta:
    """30 s, twice as long after each failed probe, 10 min at most; a quarter shorter to a quarter longer."""
    doublings = min(failures - FAILURES_TO_OPEN, _MAX_DOUBLINGS)
    mean_s = min(FIRST_PAUSE_S * 2**doublings, MAX_PAUSE_S)
    return timedelta(seconds=mean_s * (0.75 + draw() / 2))
