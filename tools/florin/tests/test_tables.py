"""What a table shows can be read, and copied into the next command, on the narrowest terminal too."""

import io
import re

import pytest
from florin.commands import sql
from florin.tables import make_table
from rich.console import Console

EVENT = "01a1ff9c-b604-71e6-9ddb-441aee37dde9"
REASON = "a_reason_that_is_much_longer_than_its_column"


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_and_a_name_stays_on_one_line(width: int) -> None:
    """Rich shortens a cell by default: an id of which half is missing opens nothing."""
    table = make_table("service", "event", "type", "reason", "parked at", whole={"event"})
    table.add_row("notification", EVENT, "florin.posting.requested.v1", REASON, "2026-11-21 19:37:02")
    shown = io.StringIO()
    Console(file=shown, width=width).print(table)
    lines = shown.getvalue().splitlines()
    assert any(EVENT in line for line in lines)
    cells = [re.split("[│┃]", line) for line in lines if line.startswith("│")]
    assert "".join(row[4].strip() for row in cells) == REASON
    assert "…" not in shown.getvalue()


def test_a_row_that_is_too_wide_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen columns of three characters each cannot be read."""
    monkeypatch.setenv("COLUMNS", "80")
    narrow = sql.tables(["a", "b"], [[1, None], ["[red]x", 2]])
    assert [table.row_count for table in narrow] == [2]
    wide = sql.tables(["id", "detail", "at"], [[EVENT, REASON, 1], [EVENT, REASON, 2]])
    assert [table.row_count for table in wide] == [3, 3]
