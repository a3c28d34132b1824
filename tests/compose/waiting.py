"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

from tests.compose.project import Failed

_EVERY_S = 0.5


def until(true: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Returns once it is true; raises Failed, which names `what`, when it is not so in time."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() >= deadline:
            raise Failed(f"{what}: not within {within_s:.0f} s")
        time.sleep(_EVERY_S)
