"""A peer that is away is tried by one call now and then, and refused to all others at once."""

import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY
from service_kit.circuit_breaker import CircuitBreaker, CircuitOpen, CircuitState, PeerFailed


@dataclass
class Watch:
    """A monotonic clock that is moved by hand."""

    at_s: float = 100.0

    def now(self) -> float:
        return self.at_s


@dataclass
class Tried:
    """A breaker of three failures and ten seconds, without jitter unless it is drawn, and its clock."""

    watch: Watch = field(default_factory=Watch)
    drawn: float = 0.0

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(
            "peer", failures_to_open=3, open_s=10.0, monotonic=self.watch.now, draw=lambda: self.drawn
        )

    def state(self) -> CircuitState:
        return self.breaker.state

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(PeerFailed), self.breaker.call():
                raise PeerFailed("timeout")

    def answer(self) -> None:
        with self.breaker.call():
            pass

    def refused(self) -> bool:
        try:
            self.answer()
        except CircuitOpen:
            return True
        return False


@pytest.fixture
def tried() -> Tried:
    return Tried()


def test_it_opens_after_failures_in_a_row_and_an_answer_between_begins_the_count_again(tried: Tried) -> None:
    tried.fail(2)
    tried.answer()
    tried.fail(2)
    assert tried.state() is CircuitState.CLOSED
    tried.fail()
    assert tried.state() is CircuitState.OPEN
    assert tried.refused()


def test_what_is_not_the_peers_failure_opens_nothing(tried: Tried) -> None:
    """A bug of ours, and a caller that has left."""
    for error in (ValueError, asyncio.CancelledError) * 3:
        with pytest.raises(error), tried.breaker.call():
            raise error
    assert tried.state() is CircuitState.CLOSED


@pytest.mark.parametrize(("drawn", "open_s"), [(0.0, 10.0), (0.5, 12.5), (1.0, 15.0)])
def test_it_stays_open_for_its_time_and_a_jitter(drawn: float, open_s: float) -> None:
    tried = Tried(drawn=drawn)
    tried.fail(3)
    tried.watch.at_s += open_s - 0.1
    assert tried.state() is CircuitState.OPEN
    tried.watch.at_s += 0.1
    assert tried.state() is CircuitState.HALF_OPEN


async def test_half_open_lets_one_call_through_and_an_answer_lets_all(tried: Tried) -> None:
    tried.fail(3)
    tried.watch.at_s += 10
    made, answers = 0, asyncio.Event()

    async def call() -> None:
        nonlocal made
        with tried.breaker.call():
            made += 1
            await answers.wait()

    calls = [asyncio.create_task(call()) for _ in range(20)]
    trial, *others = calls
    async with asyncio.timeout(20):
        refused = await asyncio.gather(*others, return_exceptions=True)
    assert (made, {type(one) for one in refused}) == (1, {CircuitOpen})
    answers.set()
    await trial
    assert tried.state() is CircuitState.CLOSED
    await call()
    assert made == 2


def test_a_trial_that_fails_begins_the_wait_again(tried: Tried) -> None:
    tried.fail(3)
    tried.watch.at_s += 10
    tried.fail()
    assert tried.state() is CircuitState.OPEN
    tried.watch.at_s += 10
    tried.answer()
    tried.fail(2)
    assert tried.state() is CircuitState.CLOSED, "it does not begin anew after an answer"


@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError])
def test_a_trial_that_is_given_up_leaves_its_place_to_the_next(
    tried: Tried, error: type[BaseException]
) -> None:
    """Neither stuck half open for ever, nor open or closed by what the peer never said."""
    tried.fail(3)
    tried.watch.at_s += 10
    with pytest.raises(error), tried.breaker.call():
        raise error
    assert tried.state() is CircuitState.HALF_OPEN
    assert not tried.refused()
    assert tried.state() is CircuitState.CLOSED


def test_what_was_under_way_as_it_opened_decides_nothing(tried: Tried) -> None:
    """Late failures do not make the wait longer, a late answer does not end it."""
    late = [tried.breaker.call() for _ in range(2)]
    for call in late:
        call.__enter__()
    tried.fail(3)
    tried.watch.at_s += 9
    assert late[0].__exit__(PeerFailed, PeerFailed("timeout"), None) is not True
    late[1].__exit__(None, None, None)
    assert tried.state() is CircuitState.OPEN
    tried.watch.at_s += 1
    assert tried.state() is CircuitState.HALF_OPEN


def test_its_state_and_its_refusals_are_told(tried: Tried) -> None:
    """Time alone makes it half open, whether anybody calls or not."""

    def told(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"florin_circuit_breaker_{name}", {"peer": "peer"})

    states = [told("state")]
    before = told("refused_total") or 0.0
    tried.fail(3)
    states.append(told("state"))
    assert tried.refused()
    tried.watch.at_s += 10
    states.append(told("state"))
    tried.answer()
    states.append(told("state"))
    assert states == [0, 2, 1, 0]
    assert told("refused_total") == before + 1
