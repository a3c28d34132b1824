"""Arithmetic on what was measured: percentiles, schedules, rates. Pure."""

import math
import random
import statistics
from collections.abc import Iterable, Sequence

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)


def percentile(values: Sequence[float], percent: float) -> float:
    """By the nearest rank: a value that was measured, never one between two. `values` need not be sorted."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """The usual ones and the greatest, by name (`p50`, `p99_9`, `max`); none of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    named = {f"p{percent:g}".replace(".", "_"): percentile(ordered, percent) for percent in PERCENTS}
    return {name: round(value, 2) for name, value in {**named, "max": ordered[-1]}.items()}


def schedule(rate: float, seconds: float, *, seed: int) -> list[float]:
    """When to send, in seconds from the start: at random like independent clients (a Poisson process), and
    fixed before the first answer, so that a slow service cannot slow those who measure it."""
    chance = random.Random(seed)
    times = []
    at = chance.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += chance.expovariate(rate)
    return times


def per_second(times: Iterable[float], *, begin: float, end: float) -> list[int]:
    """How many of `times` fall into each second from `begin`; the last, broken second is left out."""
    counts = [0] * max(0, int(end - begin))
    for time in times:
        second = int(time - begin)
        if time >= begin and second < len(counts):
            counts[second] += 1
    return counts


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def ratio(figure: float | None, to: float | None) -> float | None:
    """None when either is missing or there is nothing to divide by."""
    return round(figure / to, 3) if figure is not None and to else None
