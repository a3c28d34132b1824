"""The arithmetic that figures rest on."""

import itertools
import statistics

import pytest

from . import figures


def test_percentile_is_a_value_that_was_measured() -> None:
    assert figures.percentile([30, 10, 20, 40], 50) == 20
    assert figures.percentile([30, 10, 20, 40], 99) == 40
    assert figures.percentile([7], 99.9) == 7


def test_percentiles_bear_names_that_json_readers_can_use() -> None:
    found = figures.percentiles(range(1, 1001))
    assert found == {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99_9": 999, "max": 1000}
    assert figures.percentiles([]) == {}


def test_schedule_is_fixed_before_the_first_answer_and_repeats_by_its_seed() -> None:
    times = figures.schedule(500, 10, seed=3)
    assert times == figures.schedule(500, 10, seed=3)
    assert times != figures.schedule(500, 10, seed=4)
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 10


def test_schedule_sends_at_random_at_the_rate_asked_for() -> None:
    times = figures.schedule(500, 20, seed=1)
    assert len(times) == pytest.approx(10_000, rel=0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Of independent arrivals the gaps' deviation is their mean; an even beat would have none.
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)


def test_ratio_of_nothing_is_none() -> None:
    assert figures.ratio(1.0, 4.0) == 0.25
    assert figures.ratio(None, 4.0) is None
    assert figures.ratio(1.0, None) is None
    assert figures.ratio(1.0, 0) is None
