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
    """Write docs/api and docs/metrics.md from the code: OpenAPI of each service, AsyncAPI of the messages,
    golden files; every metric."""
    # Imports every service: not for the commands that only start or stop them.
    from florin import api_docs, metrics_page

    console = Console(highlight=False, soft_wrap=True)
    folder = api_docs.folder_here()
    page, text = folder.parent / "metrics.md", metrics_page.text()
    if check:
        lines = api_docs.drifted(folder)
        if not page.is_file() or page.read_text() != text:
            lines.append("../metrics.md: out of date: run `florin api-docs`")
        for line in lines:
            console.print(f"docs/api/{line}", markup=False)
        if lines:
            raise typer.Exit(1)
        console.print("docs/api says what the code does")
        return
    if not page.is_file() or page.read_text() != text:
        page.write_text(text)
        console.print("wrote docs/metrics.md")
    for name in api_docs.write(folder):
        console.print(f"wrote docs/api/{name}", markup=False)
