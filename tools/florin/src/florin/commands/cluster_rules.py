"""cluster-rules: the alert rules for the Prometheus operator."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("cluster-rules")(write_cluster_rules)


def write_cluster_rules(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1 if the file has drifted.")
    ] = False,
) -> None:
    """Write deploy/k8s/base/alerts.yaml from deploy/prometheus/rules."""
    from florin import cluster_rules

    made, file = cluster_rules.document(), cluster_rules.WRITTEN
    if file.exists() and file.read_text() == made:
        return
    typer.echo(f"{'out of date: ' if check else 'wrote '}deploy/k8s/base/alerts.yaml")
    if check:
        raise typer.Exit(1)
    file.write_text(made)
