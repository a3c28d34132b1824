"""Tables for people: on a narrow terminal a cell goes on below, and nothing of it is cut off."""

from collections.abc import Collection

from rich.table import Table


def make_table(*headings: str, whole: Collection[str] = ()) -> Table:
    """An empty table. Cells under the headings of `whole` stay on one line: they are copied into the next
    command."""
    made = Table()
    for heading in headings:
        made.add_column(heading, overflow="fold", no_wrap=heading in whole)
    return made
