"""Grafana's dashboards as code: what is shown stands in `boards`, how it is written down in `grafana`."""

from pathlib import Path

from florin.dashboards.boards import BOARDS
from florin.dashboards.grafana import document


def folder_here() -> Path:
    """deploy/grafana/dashboards of the checkout that this code lies in."""
    return Path(__file__).resolve().parents[5] / "deploy" / "grafana" / "dashboards"


def files() -> dict[str, str]:
    """The dashboards by file name, as Grafana provisions them."""
    return {f"{board.uid}.json": document(board) for board in BOARDS}


def drifted(folder: Path) -> list[str]:
    """The names of files that say something else than the code."""
    made = files()
    found = {path.name: path.read_text() for path in folder.glob("*.json")}
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
