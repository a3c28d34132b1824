"""Two charts as SVG, drawn by hand: a plotting library would be the largest dependency of all."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from .figures import percentile

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 44, 56
COLOURS = ("#1b6ca8", "#c0392b", "#27864a", "#8e44ad", "#b9770e", "#34495e")
# Percentiles stand where their distance to 100 says, as latency is usually drawn.
PERCENTS = (0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
TICKS = (0.0, 50.0, 90.0, 99.0, 99.9)
Points = Sequence[tuple[float, float]]


def throughput(settled: Points, loads: Sequence[tuple[str, float, float]]) -> str:
    """Payments settled in each second (second, count), with the loads that ran then (name, from, to)."""
    end = max((second for second, _ in settled), default=1) + 1
    top = _rounded_up(max((count for _, count in settled), default=1))
    parts = _frame("Payments settled a second, by the second", "seconds since the first payment")
    for number, (name, begin, until) in enumerate(loads):
        x, width = _x(begin / end), (until - begin) / end * (WIDTH - LEFT - RIGHT)
        shade = "#eef3f7" if number % 2 == 0 else "#e1e9f0"
        parts.append(
            f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{_floor() - TOP}" fill="{shade}"/>'
        )
        parts.append(
            f'<text transform="translate({x + width / 2 + 3:.1f},{TOP + 4}) rotate(90)" class="s">'
            f"{escape(name)}</text>"
        )
    bar = max(1.0, (WIDTH - LEFT - RIGHT) / end - 0.5)
    for second, count in settled:
        y = _y(count / top)
        parts.append(
            f'<rect x="{_x(second / end):.1f}" y="{y:.1f}" width="{bar:.1f}" height="{_floor() - y:.1f}" '
            f'fill="{COLOURS[0]}"/>'
        )
    parts += [_left_tick(share, f"{top * share:,.0f}") for share in (0, 0.25, 0.5, 0.75, 1)]
    parts += [_bottom_tick(share, f"{end * share:,.0f}") for share in (0, 0.25, 0.5, 0.75, 1)]
    return _svg(parts)


def latencies(named_ms: Mapping[str, Sequence[float]]) -> str:
    """Percentiles of each series, in milliseconds, both axes logarithmic."""
    series = {
        name: [(one, max(percentile(ms, one), 0.1)) for one in PERCENTS]
        for name, ms in named_ms.items()
        if ms
    }
    values = [value for points in series.values() for _, value in points] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 0.001)

    def place(percent: float, value: float) -> str:
        share = (math.log10(value) - low) / (high - low)
        return f"{_x(_nines(percent)):.1f},{_y(share):.1f}"

    parts = _frame("Latency, milliseconds", "percentile")
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(place(percent, value) for percent, value in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = TOP + 14 + number * 16
        parts.append(f'<text x="{LEFT + 12}" y="{y}" fill="{colour}" class="s">{escape(name)}</text>')
    parts += [_left_tick((power - low) / (high - low), f"{10.0**power:g}") for power in range(low, high + 1)]
    parts += [_bottom_tick(_nines(percent), f"{percent:g}") for percent in TICKS]
    return _svg(parts)


def _nines(percent: float) -> float:
    """0 at the 0th percentile, 1 at the 99.9th, each nine as wide as the one before."""
    return -math.log10(1 - percent / 100) / 3


def _rounded_up(value: float) -> float:
    """The next number that reads well."""
    step = 10 ** math.floor(math.log10(max(value, 1)))
    return float(math.ceil(value / step) * step)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _floor() -> int:
    return HEIGHT - BOTTOM


def _y(share: float) -> float:
    return _floor() - share * (_floor() - TOP)


def _left_tick(share: float, text: str) -> str:
    y = _y(share)
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cccccc"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" class="s">{text}</text>'


def _bottom_tick(share: float, text: str) -> str:
    return f'<text x="{_x(share):.1f}" y="{_floor() + 18}" text-anchor="middle" class="s">{text}</text>'


def _frame(title: str, below: str) -> list[str]:
    return [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" class="t">{escape(title)}</text>',
        f'<text x="{_x(0.5):.0f}" y="{HEIGHT - 14}" text-anchor="middle" class="s">{escape(below)}</text>',
    ]


def _svg(parts: Sequence[str]) -> str:
    style = "text{font-family:sans-serif}.s{font-size:12px}.t{font-size:16px;font-weight:bold}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}"><style>{style}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
