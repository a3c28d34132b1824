"""dashboards: Grafana's, made from the code."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("dashboards")(write_dashboards)


def write_dashboards(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1 if a dashboard has drifted.")
    ] = False,
) -> None:
    """Write deploy/grafana/dashboards from the code."""
    from florin import dashboards

    folder = dashboards.folder_here()
    made, names = dashboards.files(), dashboards.drifted(folder)
    for name in names:
        typer.echo(f"{'out of date: ' if check else 'wrote '}deploy/grafana/dashboards/{name}")
        if check:
            continue
        if name in made:
            (folder / name).write_text(made[name])
        else:
            (folder / name).unlink()
    if check and names:
        raise typer.Exit(1)
