"""sql: a question to the database, as one who can change nothing."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from florin.provision import AUDITOR, connect
from florin.stack import stack_here
from florin.tables import make_table

if TYPE_CHECKING:
    import asyncpg

console = Console(highlight=False)


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
    table = make_table(*names)
    for row in rows:
        # What stands in a table is no markup of ours.
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console.print(table)


async def _answer(url: str, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    connection: asyncpg.Connection[asyncpg.Record] = await connect(url)
    try:
        statement = await connection.prepare(query)
        names = [attribute.name for attribute in statement.get_attributes()]
        return names, [tuple(row) for row in await statement.fetch()]
    finally:
        await connection.close()
