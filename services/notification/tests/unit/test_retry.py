"""The schedule of retries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_service.domain.retry import MAX_TRIES, MEAN_DELAYS_S, next_delay, parse_retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_schedule_runs_over_about_three_days() -> None:
    assert 3 * 86_400 <= sum(MEAN_DELAYS_S) <= 3.5 * 86_400


def test_half_a_draw_gives_the_specifications_own_delays() -> None:
    delays = [next_delay(n, retry_after_s=None, draw=lambda: 0.5) for n in range(1, MAX_TRIES + 1)]
    assert delays == [*(timedelta(seconds=s) for s in MEAN_DELAYS_S), None]


@given(st.integers(1, MAX_TRIES - 1), st.floats(0, 1, exclude_max=True))
def test_jitter_is_full(tries: int, drawn: float) -> None:
    """Anything from at once to twice the mean, in proportion to the draw."""
    delay = next_delay(tries, retry_after_s=None, draw=lambda: drawn)
    assert delay is not None
    assert delay.total_seconds() == pytest.approx(2 * MEAN_DELAYS_S[tries - 1] * drawn, abs=1e-5)


@given(st.integers(1, MAX_TRIES - 1), st.floats(0, 1e12), st.floats(0, 1, exclude_max=True))
def test_retry_after_never_shortens_and_never_asks_for_more_than_a_day(
    tries: int, asked_s: float, drawn: float
) -> None:
    plain = next_delay(tries, retry_after_s=None, draw=lambda: drawn)
    delay = next_delay(tries, retry_after_s=asked_s, draw=lambda: drawn)
    assert plain is not None
    assert delay is not None
    assert plain <= delay <= max(plain, timedelta(days=1))
    assert delay.total_seconds() >= min(asked_s, 86_400) - 1e-5


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 5_000, 86_400),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        ("Thu, 99 Jan 2026 00:01:00 GMT", None),
        ("Thu, 01 Jan 2026 00:01:00 +9999999999999999999999", None),
    ],
)
def test_retry_after_is_read_or_ignored(header: str | None, expected_s: float | None) -> None:
    assert parse_retry_after(header, now=NOW) == expected_s


@given(st.text(max_size=60))
def test_no_retry_after_breaks_the_reader(header: str) -> None:
    asked_s = parse_retry_after(header, now=NOW)
    assert asked_s is None or 0 <= asked_s <= 86_400
