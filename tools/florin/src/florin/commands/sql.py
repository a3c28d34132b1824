"""sql: a question to the database, as one who can change nothing."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from florin.provision import AUDITOR, connect
from florin.stack import stack_here
from florin.tables import make_table

if TYPE_CHECKING:
    import asyncpg

console = Console(highlight=False)
# Wider than any terminal: how wide a table would like to be.
MEASURED = 10_000


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("sql")(sql)


def sql(
    query: Annotated[str, typer.Argument(help="One statement.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the database as florin_auditor, who reads every schema and changes nothing."""
    names, rows = asyncio.run(_answer(stack_here().surroundings.role_url(AUDITOR), query))
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1, default=str))
        return
    for table in tables(names, rows):
        console.print(table)


def tables(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sequence[Table]:
    """One table of all rows; where the terminal is too narrow for it one for each, a line for each column."""
    # What the database holds is no markup of ours.
    cells = [[Text("" if value is None else str(value)) for value in row] for row in rows]
    wide = make_table(*names)
    for row in cells:
        wide.add_row(*row)
    if console.measure(wide, options=console.options.update(max_width=MEASURED)).maximum <= console.width:
        return [wide]
    records = []
    for row in cells:
        record = make_table("", "", whole={""})
        record.show_header = False
        for name, cell in zip(names, row, strict=True):
            record.add_row(name, cell)
        records.append(record)
    return records


async def _answer(url: str, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    connection: asyncpg.Connection[asyncpg.Record] = await connect(url)
    try:
        statement = await connection.prepare(query)
        names = [attribute.name for attribute in statement.get_attributes()]
        return names, [tuple(row) for row in await statement.fetch()]
    finally:
        await connection.close()
