"""api-docs: the documents that are made from the code."""

from typing import Annotated

import typer
from rich.console import Console


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("api-docs")(write_api_docs)


def write_api_docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1 if a document has drifted.")
    ] = False,
) -> None:
    """Write docs/api from the code: OpenAPI of each service, AsyncAPI of the messages, golden files."""
    # Imports every service: not for the commands that only start or stop them.
    from florin import api_docs

    console = Console(highlight=False, soft_wrap=True)
    folder = api_docs.folder_here()
    if check:
        lines = api_docs.drifted(folder)
        for line in lines:
            console.print(f"docs/api/{line}", markup=False)
        if lines:
            raise typer.Exit(1)
        console.print("docs/api says what the code does")
        return
    for name in api_docs.write(folder):
        console.print(f"wrote docs/api/{name}", markup=False)
