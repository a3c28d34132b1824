"""When a receiver's circuit opens, for how long, and what closes it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_service.domain.circuit import FAILURES_TO_OPEN, NEXT, Circuit, CircuitState
from notification_service.domain.endpoint import Endpoint, EndpointStatus, Tries

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def failed(circuit: Circuit, times: int = 1, *, probed: bool = False, at: datetime = NOW) -> Circuit:
    return circuit.failed(times, probed=probed, at=at, draw=lambda: 0.5)


def half_open(circuit: Circuit, *, lease_s: float = 90) -> Circuit:
    """What a claim makes of an open one."""
    return Circuit(
        state=CircuitState.HALF_OPEN,
        failures=circuit.failures,
        since=circuit.since,
        until=NOW + timedelta(seconds=lease_s),
    )


OPEN = failed(Circuit(), FAILURES_TO_OPEN)


def test_five_failures_in_a_row_open_it_and_a_success_between_begins_the_count_again() -> None:
    four = failed(Circuit(), 4)
    assert (four.state, four.failures) == (CircuitState.CLOSED, 4)
    assert four.closed(at=NOW) == Circuit()
    five = failed(four)
    assert (five.state, five.since, five.until) == (CircuitState.OPEN, NOW, NOW + timedelta(seconds=30))


def test_a_success_where_nothing_failed_leaves_nothing_to_write() -> None:
    circuit = Circuit()
    assert circuit.closed(at=NOW) is circuit


def test_each_failed_probe_doubles_the_pause_up_to_ten_minutes() -> None:
    circuit, pauses = OPEN, []
    for _ in range(7):
        circuit = failed(half_open(circuit), probed=True)
        assert circuit.until is not None
        pauses.append((circuit.until - NOW).total_seconds())
    assert pauses == [60, 120, 240, 480, 600, 600, 600]
    assert circuit.since == NOW, "since when it is open is forgotten"


@given(draw=st.floats(0, 1), failures=st.integers(0, 2_000))
def test_the_pause_is_jittered_by_a_quarter_and_never_overflows(draw: float, failures: int) -> None:
    before = Circuit(state=CircuitState.HALF_OPEN, failures=FAILURES_TO_OPEN + failures, since=NOW, until=NOW)
    after = before.failed(1, probed=True, at=NOW, draw=lambda: draw)
    assert after.until is not None
    mean_s = min(30 * 2 ** min(failures + 1, 10), 600)
    assert mean_s * 0.75 <= (after.until - NOW).total_seconds() <= mean_s * 1.25


@pytest.mark.parametrize("circuit", [OPEN, half_open(OPEN)])
def test_what_was_on_its_way_as_it_opened_does_not_keep_it_open_longer(circuit: Circuit) -> None:
    assert failed(circuit, 8) is circuit


def test_any_success_closes_it() -> None:
    """Even of what was on its way before: it came from the receiver, which lives."""
    later = NOW + timedelta(minutes=1)
    for circuit in (OPEN, half_open(OPEN)):
        assert circuit.closed(at=later) == Circuit(since=later)


def test_a_probe_that_says_nothing_of_the_receiver_is_made_again_after_the_same_pause() -> None:
    after = half_open(OPEN).undecided(at=NOW, draw=lambda: 0.5)
    assert after == OPEN
    assert Circuit().undecided(at=NOW, draw=lambda: 0.5) == Circuit()


def test_what_a_person_asks_for_is_probed_at_once_or_right_after_the_probe_on_its_way() -> None:
    wanted, soon = uuid4(), NOW + timedelta(seconds=1)
    assert Circuit().asked_for(wanted, at=NOW) == Circuit()
    asked = OPEN.asked_for(wanted, at=soon)
    assert (asked.state, asked.wanted, asked.until) == (CircuitState.OPEN, wanted, soon)
    probing = half_open(OPEN).asked_for(wanted, at=soon)
    assert (probing.state, probing.until) == (CircuitState.HALF_OPEN, NOW + timedelta(seconds=90))
    after = failed(probing, probed=True, at=soon)
    assert (after.state, after.wanted, after.until) == (CircuitState.OPEN, wanted, soon)


def test_its_moves_are_those_of_the_table() -> None:
    everywhere = [Circuit(), failed(Circuit(), 3), OPEN, half_open(OPEN)]
    for before in everywhere:
        for after in (
            before.closed(at=NOW),
            failed(before),
            failed(before, probed=True),
            before.undecided(at=NOW, draw=lambda: 0.5),
            before.asked_for(uuid4(), at=NOW),
        ):
            assert after.state is before.state or after.state in NEXT[before.state]


def test_our_own_faults_neither_open_it_nor_count_as_days_of_failure() -> None:
    endpoint = Endpoint(
        id=uuid4(),
        client_id="demo",
        url="https://a.example/",
        description=None,
        event_types=("payment.settled",),
        status=EndpointStatus.ACTIVE,
        status_reason=None,
        status_changed_at=NOW,
        failing_since=None,
        created_at=NOW,
        updated_at=NOW,
    )
    after = endpoint.after_tries(Tries(at=NOW), disable_after=timedelta(days=5), draw=lambda: 0.5)
    assert after is endpoint
