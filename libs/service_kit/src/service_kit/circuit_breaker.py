"""A circuit breaker for one peer that is asked and answers: who is away is not waited for by every caller.

Kept in the process: each replica finds out for itself, by a handful of calls, and shares nothing
([ADR 0028](../../../../docs/adr/0028-circuit-breakers-by-who-is-asked.md)).
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

import structlog

from service_kit.telemetry import counter, gauge

# In a row; one alone is nothing, and this many cost one caller each their deadline.
FAILURES_TO_OPEN = 5
# From this to half as long again, drawn each time: replicas do not try a peer that comes back all at once.
OPEN_S = 5.0

_STATE = gauge(
    "circuit_breaker_state",
    "Whether calls to a peer are let through: 0 closed, 1 half open (one at a time), 2 open.",
    ("peer",),
)
_REFUSED = counter(
    "circuit_breaker_refused", "Calls to a peer that were not made: its circuit was open.", ("peer",)
)
_log = structlog.stdlib.get_logger(__name__)


class CircuitState(IntEnum):
    """As the metric tells it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class CircuitOpen(Exception):
    """The peer has failed too often in a row, or its one trial call is under way: it was not asked."""


class PeerFailed(Exception):
    """The peer gave no usable answer, by its own or the network's fault; `reason` is a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CircuitBreaker:
    """Refuses calls to `peer`, a name from our own list, after `failures_to_open` failures in a row.

    After `open_s` seconds and up to half as many more it lets one call through: an answer closes the
    circuit, a failure begins the wait again. `monotonic` tells seconds, `draw` gives 0.0 up to 1.0.
    """

    def __init__(
        self,
        peer: str,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        open_s: float = OPEN_S,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._peer = peer
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._monotonic = monotonic
        self._draw = draw
        self._failures = 0
        self._open_until: float | None = None
        self._trying = False
        # Asked at each scrape: time alone turns open into half open.
        _STATE.labels(peer).set_function(lambda: self.state)
        self._refused = _REFUSED.labels(peer)

    @property
    def state(self) -> CircuitState:
        """What becomes of a call made now: let through, tried alone, or refused."""
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._monotonic() < self._open_until else CircuitState.HALF_OPEN

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises CircuitOpen in its place; PeerFailed out of it counts as a failure.

        Any other exception, a cancellation above all, says nothing about the peer and is counted neither way.
        """
        state = self.state
        if state is CircuitState.OPEN or (state is CircuitState.HALF_OPEN and self._trying):
            self._refused.inc()
            raise CircuitOpen(self._peer)
        trial = self._trying = state is CircuitState.HALF_OPEN
        try:
            yield
        except PeerFailed as failure:
            self._count_failure(failure, trial=trial)
            raise
        else:
            self._count_answer(trial=trial)
        finally:
            if trial:
                self._trying = False

    def _count_failure(self, failure: PeerFailed, *, trial: bool) -> None:
        # What was under way as the circuit opened comes late: only the trial says how the peer is by now.
        if self._open_until is not None and not trial:
            return
        self._failures += 1
        if self._failures < self._failures_to_open:
            return
        if not trial:
            _log.warning("circuit opened", peer=self._peer, failures=self._failures, reason=failure.reason)
        self._open_until = self._monotonic() + self._open_s * (1 + self._draw() / 2)

    def _count_answer(self, *, trial: bool) -> None:
        if self._open_until is not None:
            if not trial:
                return
            _log.info("circuit closed", peer=self._peer)
        self._failures = 0
        self._open_until = None
