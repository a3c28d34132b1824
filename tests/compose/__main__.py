"""Brings deploy/compose.yml up from nothing, pays through it, kills a worker under load, watches it as its
operators would, scales to three, checks the books, and takes it all down. Without a Docker engine it says why
it is skipped and ends with 0."""

import argparse
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.compose import engine, observed, steps
from tests.compose.project import Failed, Figures, Project

# Whom the alerts are told: known from the first start, when the secrets are made.
SINK = {
    f"FLORIN_{receiver.upper()}_URL": f"http://sink:8000/{receiver}"
    for receiver in ("pager", "tickets", "heartbeat")
}
STEPS = {
    one.__name__: one
    for one in (
        steps.build,
        steps.contents,
        steps.up,
        steps.hardened,
        steps.demo,
        steps.kill_under_load,
        observed.observe,
        steps.scale,
        steps.verify,
    )
}
console = Console(highlight=False)


def main() -> int:
    """0: all held, or skipped with its reason; 1: something did not."""
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument(
        "--from", dest="first", choices=list(STEPS), default="build", help="on one that was kept"
    )
    parser.add_argument(
        "--images", metavar="VERSION", help="those that are built already, and none of this checkout"
    )
    given = parser.parse_args()
    try:
        brought = engine.bring()
    except engine.NoEngine as reason:
        console.print(f"[yellow]compose-test skipped:[/] {escape(str(reason))}")
        return 0
    project = Project("florin-test", given.images or "compose-test", {**SINK, **brought.settings})
    figures = {"engine": brought.how}
    try:
        for name in list(STEPS)[list(STEPS).index(given.first) :]:
            if not (given.images and name == steps.build.__name__):
                _timed(STEPS[name], project, figures)
    except Failed as failure:
        console.print("[bold red]compose-test failed:[/]", escape(str(failure)))
        return 1
    finally:
        if not given.keep:
            project.down()
        _show(figures)
    return 0


def _timed(step: Callable[[Project, Figures], None], project: Project, figures: Figures) -> None:
    console.print(f"[dim]·[/dim] {step.__name__.replace('_', ' ')}: {step.__doc__}")
    began = time.monotonic()
    step(project, figures)
    figures[f"{step.__name__.replace('_', ' ')}, seconds"] = f"{time.monotonic() - began:.0f}"


def _show(figures: Figures) -> None:
    table = Table("compose-test", "")
    for name, value in figures.items():
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
