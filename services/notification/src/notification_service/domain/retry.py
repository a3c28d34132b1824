"""When a failed delivery is tried again: the Standard Webhooks schedule with full jitter."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

# The specification's example schedule: about three days from the first try to the last.
MEAN_DELAYS_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_TRIES: Final = len(MEAN_DELAYS_S) + 1
MAX_RETRY_AFTER_S: Final = 86_400.0


def next_delay(tries: int, *, retry_after_s: float | None, draw: Callable[[], float]) -> timedelta | None:
    """The wait after the given number of failed tries (1 for the first), or None when that was the last.

    Full jitter: drawn evenly between nothing and twice the schedule's step, so that the mean is the
    schedule and receivers that failed together are not tried again together. The receiver's
    Retry-After lengthens the wait up to a day, and never shortens it. `draw` gives 0.0 up to 1.0.
    """
    if tries < 1:
        raise ValueError("a delay follows a try")
    if tries >= MAX_TRIES:
        return None
    jittered_s = 2 * MEAN_DELAYS_S[tries - 1] * draw()
    asked_s = min(retry_after_s or 0.0, MAX_RETRY_AFTER_S)
    return timedelta(seconds=max(jittered_s, asked_s))


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds asked for by a Retry-After header (RFC 9110: a number or a date), or None if unusable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Longer numbers are beyond any bound; int() of thousands of digits would also cost time.
        return min(float(text), MAX_RETRY_AFTER_S) if len(text) <= 12 else MAX_RETRY_AFTER_S
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        wait_s = (at - now).total_seconds()
    except OverflowError:
        return None
    if not math.isfinite(wait_s):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
