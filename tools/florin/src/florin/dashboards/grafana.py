"""A dashboard in Grafana's JSON model, from what it is to show."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_COLUMNS = 24
# The way to the other dashboards, at the same time of day: every field that Grafana's schema wants.
_OTHERS = {
    "type": "dashboards",
    "tags": ["florin"],
    "asDropdown": True,
    "title": "Florin",
    "icon": "dashboard",
    "tooltip": "",
    "includeVars": False,
    "keepTime": True,
    "targetBlank": False,
}
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One expression and the legend of each series that it gives."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram, or the last value alone (`kind` "stat"). `unit` is one of Grafana's: reqps, s, short, …"""

    title: str
    curves: Sequence[Curve]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    help: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """A page of panels, laid out from left to right."""

    uid: str
    title: str
    panels: Sequence[Panel]


def document(board: Board) -> str:
    """The board's JSON, in one form: keys sorted, two spaces, a line feed at the end."""
    model = {
        "uid": board.uid,
        "title": f"Florin: {board.title}",
        "tags": ["florin"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [_OTHERS],
        "panels": _laid_out(board.panels),
    }
    return json.dumps(model, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _laid_out(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    placed = []
    x = y = row_height = 0
    for number, panel in enumerate(panels, start=1):
        height = 4 if panel.kind == "stat" else 8
        if x + panel.width > _COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        placed.append(_panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": height}))
        x, row_height = x + panel.width, max(row_height, height)
    return placed


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "title": panel.title,
        "description": panel.help,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": curve.expr, "legendFormat": curve.legend or "__auto"}
            for index, curve in enumerate(panel.curves)
        ],
    }
